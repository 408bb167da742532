/// A run trained without a folder: for systems that want its numbers and nothing on the disk.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "plumb/experiment/run.hpp"

namespace plumb {

struct TrainedRun {
  Outcome outcome = Outcome::step_limit;
  int64_t step = 0;                     // updates done
  std::vector<Evaluation> evaluations;  // the first one at step 0
  std::shared_ptr<Network> network;

  const Fit& last() const { return evaluations.back().fit; }
};

/// Trains what `run` describes, its probes and checkpoints left out, with this process's threads where the
/// description names no number. The same description gives the same numbers as `plumb run` does with as many
/// threads: both begin with set_up. Throws as that does.
TrainedRun train_run(const Run& run, const std::filesystem::path& data_folder);

}  // namespace plumb
