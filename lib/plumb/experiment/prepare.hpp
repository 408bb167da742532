/// From a run's description to its examples on the training device.
#pragma once

#include <string>
#include <vector>

#include "plumb/data/data_hashes.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {

struct PreparedData {
  TrainingData data;
  Tensor redrawn;  // (n) bool on the CPU: labels the randomization drew anew
  Signature signature;
  std::string source;
  std::vector<std::string> class_names;
  DataHashes hashes;  // of the examples used, before anything was done to them
  Duplicates duplicates;
  std::vector<std::string> notes;  // what is odd about the data, though not wrong
};

/// Reads the data set, takes the subset, crops, randomizes, normalizes, and moves the result to `device`.
/// Throws DataError for missing or malformed files, ConfigError when the description does not suit the data.
PreparedData prepare_data(const Run& run, const std::filesystem::path& data_folder, const at::Device& device);

/// The device that `name` asks for. Throws ConfigError when there is no such device here.
at::Device find_device(const std::string& name);

}  // namespace plumb
