#include <cmath>

#include <ATen/ATen.h>

#include "plumb/training/optimizer.hpp"

namespace plumb {
namespace {

constexpr Range below_one{.low = 0, .high = 0.9999999, .says = "must be at least 0 and below 1"};

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  void fields(Fields& f) {
    f.field("learning_rate", learning_rate, "step size", positive);
    f.field("beta1", beta1, "decay of the mean of gradients", below_one);
    f.field("beta2", beta2, "decay of the mean of squared gradients", below_one);
    f.field("epsilon", epsilon, "added to the root of the second moment", positive);
    f.field("weight_decay", weight_decay, "lambda of the term lambda/2 ||w||^2 added to the loss",
            non_negative);
  }
};

/// m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
/// w <- w - learning_rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon), where t counts the
/// updates of this very parameter: one without a gradient stands still. (Kingma & Ba 2015, Algorithm 1, in
/// the convention of torch.optim.Adam)
class Adam final : public Optimizer {
 public:
  Adam(const AdamOptions& options, std::vector<Tensor> parameters)
      : Optimizer(std::move(parameters)), options_(options), steps_(parameters_.size(), 0) {
    for (const Tensor& parameter : parameters_) {
      first_.push_back(at::zeros_like(parameter));
      second_.push_back(at::zeros_like(parameter));
    }
  }

  double base_learning_rate() const override { return options_.learning_rate; }

  void step(double learning_rate) override {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      Tensor gradient = parameters_[i].grad();
      if (!gradient.defined()) continue;
      const double t = static_cast<double>(++steps_[i]);
      const double step_size = learning_rate / (1 - std::pow(options_.beta1, t));
      const double root_correction = std::sqrt(1 - std::pow(options_.beta2, t));
      if (options_.weight_decay != 0) gradient = gradient.add(parameters_[i], options_.weight_decay);
      first_[i].mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
      second_[i].mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
      const Tensor denominator = second_[i].sqrt().div_(root_correction).add_(options_.epsilon);
      parameters_[i].addcdiv_(first_[i], denominator, -step_size);
    }
  }

  Archive state() const override {
    Archive archive;
    archive.put("updates", at::tensor(steps_, at::kLong));
    for (size_t i = 0; i < first_.size(); ++i) {
      archive.put("first." + std::to_string(i), first_[i]);
      archive.put("second." + std::to_string(i), second_[i]);
    }
    return archive;
  }

  void load(const Archive& archive) override {
    const at::NoGradGuard no_grad;
    if (archive.contains("first." + std::to_string(first_.size())))
      throw DataError(
          fmt::format("the saved optimizer moves more parameters than the {} of the network", first_.size()));
    const bool each = archive.contains("updates");
    for (size_t i = 0; i < first_.size(); ++i) {
      // Checkpoints of version 0.1 counted for all parameters together.
      steps_[i] = each ? archive.tensor("updates")[static_cast<int64_t>(i)].item<int64_t>()
                       : archive.integer("steps");
      first_[i].copy_(archive.tensor("first." + std::to_string(i)));
      second_[i].copy_(archive.tensor("second." + std::to_string(i)));
    }
  }

 private:
  AdamOptions options_;
  std::vector<int64_t> steps_;
  std::vector<Tensor> first_, second_;
};

std::unique_ptr<Optimizer> make_adam(const AdamOptions& options, std::vector<Tensor> parameters) {
  return std::make_unique<Adam>(options, std::move(parameters));
}

}  // namespace

PLUMB_REGISTER(Optimizers, adam, AdamOptions, make_adam, "Adam with bias correction; torch.optim.Adam")

}  // namespace plumb
