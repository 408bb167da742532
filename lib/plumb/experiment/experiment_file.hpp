/// The description that lies in an experiment's folder, and those that lay there before.
#pragma once

#include <filesystem>
#include <string>

namespace plumb {

/// Writes `yaml` to `<folder>/experiment.yaml`. One that says something else is kept beside it, as
/// experiment.1.yaml or under the next number that is free, unless one of these says the same. Throws
/// DataError.
void keep_experiment_file(const std::filesystem::path& folder, const std::string& yaml);

}  // namespace plumb
