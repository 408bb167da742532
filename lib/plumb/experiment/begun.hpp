/// What a folder was begun with, and whether that is what is asked of it now.
#pragma once

#include <optional>
#include <string>

#include "plumb/core/config.hpp"
#include "plumb/experiment/run_directory.hpp"

namespace plumb {

/// The description that a run in `directory` was begun with, as its provenance.json remembers it; of version
/// 0.1, which did not, what run.yaml says. Nothing when no run was begun there.
std::optional<Config> begun_description(const RunDirectory& directory);

/// What was changed in run.yaml after the run had begun, in words; empty when it is the same run. Limits and
/// targets may be changed, and what does not change a run's course.
std::string edited_description(const RunDirectory& directory);

/// Throws DataError, naming the settings that differ, when a run was begun in `directory` that is another one
/// than `description`, or when run.yaml was edited meanwhile.
void refuse_other_description(const Config& description, const RunDirectory& directory);

}  // namespace plumb
