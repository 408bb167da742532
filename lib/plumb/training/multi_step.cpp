#include <algorithm>
#include <cmath>

#include "plumb/training/schedule.hpp"

namespace plumb {
namespace {

struct MultiStepOptions {
  std::vector<int64_t> milestones = {};
  double gamma = 0.1;

  void fields(Fields& f) {
    f.field("milestones", milestones,
            "epochs at whose start the learning rate is multiplied; at least one must be given", positive);
    f.field("gamma", gamma, "what it is multiplied by", positive);
  }
};

Schedule make_multi_step(const MultiStepOptions& options, double) {
  if (options.milestones.empty())
    throw ConfigError("training.schedule: multi_step needs milestones, a list of epochs");
  return {[options](double epoch) {
    const auto reached = std::ranges::count_if(
        options.milestones, [&](int64_t milestone) { return epoch >= static_cast<double>(milestone); });
    return std::pow(options.gamma, static_cast<double>(reached));
  }};
}

}  // namespace

PLUMB_REGISTER(Schedules, multi_step, MultiStepOptions, make_multi_step,
               "times gamma at each milestone, torch's MultiStepLR")

}  // namespace plumb
