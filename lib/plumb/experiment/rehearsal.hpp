/// A run prepared as for training, and not trained: what it would be refused for, found before.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plumb/experiment/run.hpp"

namespace plumb {

/// Finds its device, reads its data, makes its network, trainer and probes. Throws what training would have
/// thrown before its first update, ConfigError for a network or data beyond the memory there is. Returns what
/// could not be looked at, and why: "subset, model and probes: ... CIFAR-10 is not there ..."; empty when all
/// was.
std::string rehearse(const Run& run, const std::filesystem::path& data_folder);

}  // namespace plumb
