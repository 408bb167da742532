/// The learning rate over time, as a factor on the optimizer's own.
#pragma once

#include <functional>

#include "plumb/core/registry.hpp"

namespace plumb {

/// epochs done so far (with fraction) -> factor.
struct Schedule {
  std::function<double(double epoch)> factor;
  /// True when its whole course depends on the epoch at which the run is to end (training.stop.epochs or
  /// steps): a longer run then is another run from its first update on.
  bool needs_end = false;

  double operator()(double epoch) const { return factor(epoch); }
};

/// gamma^floor(epoch / period).
Schedule geometric(double gamma, double period);

/// constant, and under the names of torch.optim.lr_scheduler, with their options, counted in epochs:
/// - step (StepLR), gamma^floor(epoch / step_size);
/// - multi_step (MultiStepLR), gamma^(number of milestones reached);
/// - exponential (ExponentialLR), gamma^floor(epoch);
/// - cosine, final + (1 - final) (1 + cos(pi epoch / max_epochs)) / 2 after every update (Loshchilov & Hutter
///   2017), which is CosineAnnealingLR stepped once an update with eta_min = final times the learning rate.
///
/// Made for the number of epochs the run may take at most (0: unlimited). Throws ConfigError for an option
/// that has no default and is not given.
using Schedules = Registry<Schedule(double max_epochs)>;
Schedules& schedules();

}  // namespace plumb
