/// A data set in memory: what was read, before any preprocessing or randomization.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/objective/targets.hpp"

namespace plumb {

/// n examples in order. inputs: (n, channels, height, width) uint8 for images, (n, d) float for vectors;
/// targets: (n) int64 in 0 .. num_classes - 1, or real numbers (n, c) floating; see TargetKind.
struct Examples {
  Tensor inputs;
  Tensor targets;

  int64_t size() const { return inputs.defined() ? inputs.size(0) : 0; }
};

struct Dataset {
  Examples train;
  Examples test;            // may be empty
  int64_t num_classes = 0;  // 0 where the targets are real numbers
  std::vector<std::string> class_names;
  std::string source;                   // where it came from: a path, or the recipe of a synthetic set
  std::vector<std::string> notes = {};  // what is odd about it, though not wrong
};

/// What a data set may use beside its options.
struct DataContext {
  std::filesystem::path folder;  // --data: where files are looked for
  Seed seed{0};                  // synthetic sets draw from seed.stream("data")
};

/// Data sets by name. Making one throws DataError when a file is missing or malformed.
using Datasets = Registry<Dataset(const DataContext&)>;
Datasets& datasets();

}  // namespace plumb
