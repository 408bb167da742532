#include "plumb/training/schedule.hpp"

#include <cmath>
#include <numbers>

namespace plumb {
namespace {

struct ConstantOptions {
  void fields(Fields&) {}
};

Schedule make_constant(const ConstantOptions&, double) {
  return [](double) { return 1.0; };
}

struct ExponentialOptions {
  double factor = 0.95;
  double every = 1;

  void fields(Fields& f) {
    f.field("factor", factor, "multiplies the learning rate once per `every` epochs", positive);
    f.field("every", every, "epochs between multiplications", positive);
  }
};

Schedule make_exponential(const ExponentialOptions& options, double) {
  return [options](double epoch) { return std::pow(options.factor, std::floor(epoch / options.every)); };
}

struct StepOptions {
  std::vector<int64_t> epochs{150, 225};
  double factor = 0.1;

  void fields(Fields& f) {
    f.field("epochs", epochs, "epochs at whose start the learning rate is multiplied", positive);
    f.field("factor", factor, "what it is multiplied by", positive);
  }
};

Schedule make_step(const StepOptions& options, double) {
  return [options](double epoch) {
    double rate = 1;
    for (const int64_t milestone : options.epochs)
      if (epoch >= static_cast<double>(milestone)) rate *= options.factor;
    return rate;
  };
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
  return [options, max_epochs](double epoch) {
    const double progress = std::min(epoch / max_epochs, 1.0);
    return options.final + (1 - options.final) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  };
}

}  // namespace

Schedules& schedules() {
  static Schedules registry = [] {
    Schedules built_in;
    built_in.add<ConstantOptions>("constant", "the same learning rate throughout", make_constant);
    built_in.add<ExponentialOptions>("exponential", "factor^floor(epoch / every)", make_exponential);
    built_in.add<StepOptions>("step", "times factor at each of the given epochs", make_step);
    built_in.add<CosineOptions>("cosine", "half a cosine from 1 down to `final` (Loshchilov & Hutter 2017)",
                                make_cosine);
    return built_in;
  }();
  return registry;
}

}  // namespace plumb
