#include "plumb/training/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace plumb {
namespace {

struct ConstantOptions {
  void fields(Fields&) {}
};

Schedule make_constant(const ConstantOptions&, double) {
  return {[](double) { return 1.0; }};
}

/// gamma^floor(epoch / period). Epochs are fractions, as in 0.3 / 0.1, which must not miss its 3.
Schedule geometric(double gamma, double period) {
  return {[=](double epoch) { return std::pow(gamma, std::floor(epoch / period * (1 + 1e-12))); }};
}

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

Schedules& schedules() {
  static Schedules registry = [] {
    Schedules built_in;
    built_in.add<ConstantOptions>("constant", "the same learning rate throughout", make_constant);
    built_in.add<StepOptions>("step", "gamma^floor(epoch / step_size), torch's StepLR", make_step);
    built_in.add<MultiStepOptions>("multi_step", "times gamma at each milestone, torch's MultiStepLR",
                                   make_multi_step);
    built_in.add<ExponentialOptions>("exponential", "gamma^floor(epoch), torch's ExponentialLR",
                                     make_exponential);
    built_in.add<CosineOptions>(
        "cosine",
        "half a cosine from 1 down to `final`, after every update (Loshchilov & Hutter 2017), torch's "
        "CosineAnnealingLR",
        make_cosine);
    return built_in;
  }();
  return registry;
}

}  // namespace plumb
