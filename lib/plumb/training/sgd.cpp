#include <ATen/ATen.h>

#include "plumb/training/optimizer.hpp"

namespace plumb {
namespace {

struct SgdOptions {
  double learning_rate = 0.001;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;

  void fields(Fields& f) {
    f.field("learning_rate", learning_rate, "step size", positive);
    f.field("momentum", momentum, "fraction of the last update kept",
            {.low = 0, .high = 0.9999999, .says = "must be at least 0 and below 1"});
    f.field("nesterov", nesterov, "look ahead along the velocity (Nesterov 1983; Sutskever et al. 2013)");
    f.field("weight_decay", weight_decay, "lambda of the term lambda/2 ||w||^2 added to the loss",
            non_negative);
  }
};

/// v <- momentum v + (g + weight_decay w), w <- w - learning_rate v (v starts as the first gradient);
/// with nesterov w <- w - learning_rate (g + momentum v). The convention and the defaults of torch.optim.SGD.
class StochasticGradientDescent final : public Optimizer {
 public:
  StochasticGradientDescent(const SgdOptions& options, std::vector<Tensor> parameters)
      : Optimizer(std::move(parameters)), options_(options), velocity_(parameters_.size()) {}

  double base_learning_rate() const override { return options_.learning_rate; }

  void step(double learning_rate) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      Tensor& parameter = parameters_[i];
      Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      if (options_.weight_decay != 0) gradient = gradient.add(parameter, options_.weight_decay);
      if (options_.momentum != 0) gradient = accelerated(velocity_[i], gradient);
      parameter.add_(gradient, -learning_rate);
    }
  }

  Archive state() const override {
    Archive archive;
    for (size_t i = 0; i < velocity_.size(); ++i)
      if (velocity_[i].defined()) archive.put(std::to_string(i), velocity_[i]);
    return archive;
  }

  void load(const Archive& archive) override {
    if (archive.values().size() > velocity_.size())
      throw DataError(fmt::format("the saved optimizer moves {} parameters, the network has {}",
                                  archive.values().size(), velocity_.size()));
    for (size_t i = 0; i < velocity_.size(); ++i) {
      const std::string name = std::to_string(i);
      velocity_[i] = archive.contains(name) ? archive.tensor(name).to(parameters_[i].device()) : Tensor();
    }
  }

 private:
  Tensor accelerated(Tensor& velocity, const Tensor& gradient) const {
    if (velocity.defined())
      velocity.mul_(options_.momentum).add_(gradient);
    else
      velocity = gradient.clone();
    return options_.nesterov ? gradient.add(velocity, options_.momentum) : velocity;
  }

  SgdOptions options_;
  std::vector<Tensor> velocity_;
};

std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options, std::vector<Tensor> parameters) {
  if (options.nesterov && options.momentum == 0)
    throw ConfigError("training.optimizer.nesterov: true needs a momentum above 0");
  return std::make_unique<StochasticGradientDescent>(options, std::move(parameters));
}

}  // namespace

PLUMB_REGISTER(Optimizers, sgd, SgdOptions, make_sgd,
               "stochastic gradient descent, with momentum if asked for; torch.optim.SGD")

}  // namespace plumb
