/// The learning rate over time, as a factor on the optimizer's own.
#pragma once

#include <functional>

#include "plumb/core/registry.hpp"

namespace plumb {

/// epochs done so far (with fraction) -> factor.
using Schedule = std::function<double(double epoch)>;

/// constant, exponential, step, cosine. Made for the number of epochs the run may take at most (0:
/// unlimited).
using Schedules = Registry<Schedule(double max_epochs)>;
Schedules& schedules();

}  // namespace plumb
