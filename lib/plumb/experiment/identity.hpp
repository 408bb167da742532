/// What makes two runs the same but for their seed, and what tells two apart.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plumb/core/config.hpp"

namespace plumb {

/// The part of a run's description that its numbers follow from, apart from the seed: all of it but name,
/// seed, threads, checkpoints, probes, theorems and how often the loss of batches is written down. Settings
/// that an older version did not write have their defaults; what this plumb cannot read (a component of
/// another program) stays as it stands.
Config run_identity(const Config& description);

/// Every setting as a dotted path and its text, in the order written; of a component, its type is under its
/// own path ("model": "mlp", "model.width": "8").
std::vector<std::pair<std::string, std::string>> flat_settings(const Config& description);

}  // namespace plumb
