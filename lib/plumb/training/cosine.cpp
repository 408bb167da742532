#include <algorithm>
#include <cmath>
#include <numbers>

#include "plumb/training/schedule.hpp"

namespace plumb {
namespace {

struct CosineOptions {
  double final = 0;

  void fields(Fields& f) {
    f.field("final", final, "fraction of the learning rate left at the end", fraction);
  }
};

Schedule make_cosine(const CosineOptions& options, double max_epochs) {
  if (max_epochs <= 0)
    throw ConfigError(
        "training.schedule: cosine needs an end; set training.stop.epochs or training.stop.steps");
  return {[options, max_epochs](double epoch) {
            const double progress = std::min(epoch / max_epochs, 1.0);
            return options.final + (1 - options.final) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
          },
          /*needs_end=*/true};
}

}  // namespace

PLUMB_REGISTER(Schedules, cosine, CosineOptions, make_cosine,
               "half a cosine from 1 down to `final`, after every update (Loshchilov & Hutter 2017), torch's "
               "CosineAnnealingLR")

}  // namespace plumb
