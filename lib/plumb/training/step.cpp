#include <optional>

#include "plumb/training/schedule.hpp"

namespace plumb {
namespace {

struct StepOptions {
  std::optional<double> step_size = {};
  double gamma = 0.1;

  void fields(Fields& f) {
    f.field("step_size", step_size, "epochs between multiplications; must be given", positive);
    f.field("gamma", gamma, "what the learning rate is multiplied by", positive);
  }
};

Schedule make_step(const StepOptions& options, double) {
  if (!options.step_size) throw ConfigError("training.schedule: step needs step_size, a number of epochs");
  return geometric(options.gamma, *options.step_size);
}

}  // namespace

PLUMB_REGISTER(Schedules, step, StepOptions, make_step, "gamma^floor(epoch / step_size), torch's StepLR")

}  // namespace plumb
