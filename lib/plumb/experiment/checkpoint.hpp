/// The two checkpoints of a run: the newest, and the one before it in case the newest is damaged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/core/archive.hpp"
#include "plumb/experiment/run.hpp"
#include "plumb/experiment/run_directory.hpp"

namespace plumb {

struct LoadedCheckpoint {
  std::optional<Archive> archive;  // nothing when none was saved
  std::vector<std::string> notes;  // which one was taken and why, when it is not the newest
};

/// The newest checkpoint that can be read. When that is the one before the newest, it takes the place of the
/// damaged one. Throws DataError when there are checkpoints and none can be read, naming the files to remove,
/// and for one that belongs to another run or another format.
LoadedCheckpoint load_checkpoint(const Run& run, const RunDirectory& directory);

/// Saves `archive` as the newest checkpoint; the newest so far becomes the one before.
void save_checkpoint(const Archive& archive, const RunDirectory& directory);

/// Removes both, or only the older one.
void remove_checkpoints(const RunDirectory& directory);
void remove_previous_checkpoint(const RunDirectory& directory);

}  // namespace plumb
