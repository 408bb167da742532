/// What stands before the first update: LibTorch's settings, the data, the network. One way for every run,
/// with a folder or without, so that the same description gives the same numbers.
#pragma once

#include <filesystem>
#include <memory>

#include "plumb/experiment/prepare.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {

struct SetUp {
  at::Device device;
  PreparedData prepared;
  std::shared_ptr<Network> network;  // on the device, in the run's precision and memory format
};

/// Sets this process's LibTorch up for `run` (threads where given, deterministic algorithms, no
/// TensorFloat-32, global generators), reads its data and makes its network; draws or loads the initial
/// weights unless `resumed`. Throws as prepare_data, the model and the initial weights do.
SetUp set_up(const Run& run, const std::filesystem::path& data_folder, std::optional<int64_t> threads,
             bool resumed = false);

}  // namespace plumb
