/// What differs between two descriptions.
#pragma once

#include <string>
#include <vector>

#include "plumb/core/config.hpp"

namespace plumb {

struct ChangedSetting {
  std::string path;       // "training.optimizer.learning_rate"
  std::string then, now;  // as written; "nothing" where it is absent
};

/// Settings with another value in `now` than in `then`, by path. The type of a component stands under its own
/// path ("model").
std::vector<ChangedSetting> changed_settings(const Config& then, const Config& now);

/// "training.optimizer.learning_rate: 0.1 then, 0.2 now; ..."
std::string to_text(const std::vector<ChangedSetting>& changes);

}  // namespace plumb
