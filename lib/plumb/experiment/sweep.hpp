/// The axes of a sweep, as values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plumb/core/config.hpp"

namespace plumb {

/// One point of an axis: what it is called, and the key paths it sets.
struct SweepPoint {
  std::string label;
  std::vector<std::pair<std::string, Config>> assignments;
};

struct SweepAxis {
  std::string name;
  std::vector<SweepPoint> points;
};

/// Reads a `sweep:` section: each entry is a key path with a list of values, or a name with named points that
/// map key paths to values. Throws ConfigError when it is neither.
std::vector<SweepAxis> read_sweep(const Config& sweep);

}  // namespace plumb
