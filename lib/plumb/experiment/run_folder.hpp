/// One run's folder read as a value, with nothing in it believed.
#pragma once

#include <filesystem>

#include "plumb/records/recorded_run.hpp"

namespace plumb {

/// Reads what a run left in `folder`. Throws DataError or ConfigError for whatever is missing, damaged or
/// contradicts itself: tables that are no tables or end before the run did, steps that go back, accuracies
/// that are none, an outcome that plumb does not write, a description that is not the one that was run. An
/// unfinished run may lack what it had no time to write.
RecordedRun load_run(const std::filesystem::path& folder);

}  // namespace plumb
