#include <optional>

#include "plumb/training/schedule.hpp"

namespace plumb {
namespace {

struct ExponentialOptions {
  std::optional<double> gamma = {};

  void fields(Fields& f) {
    f.field("gamma", gamma, "what the learning rate is multiplied by after each epoch; must be given",
            positive);
  }
};

Schedule make_exponential(const ExponentialOptions& options, double) {
  if (!options.gamma)
    throw ConfigError("training.schedule: exponential needs gamma, a factor for each epoch");
  return geometric(*options.gamma, 1);
}

}  // namespace

PLUMB_REGISTER(Schedules, exponential, ExponentialOptions, make_exponential,
               "gamma^floor(epoch), torch's ExponentialLR")

}  // namespace plumb
