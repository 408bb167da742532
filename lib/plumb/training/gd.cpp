#include <ATen/ATen.h>

#include "plumb/training/optimizer.hpp"

namespace plumb {
namespace {

struct GdOptions {
  double learning_rate = 0.1;

  void fields(Fields& f) { f.field("learning_rate", learning_rate, "step size", positive); }
};

/// w <- w - learning_rate * grad L(w), with the gradient of the whole training set.
class GradientDescent final : public Optimizer {
 public:
  GradientDescent(const GdOptions& options, std::vector<Tensor> parameters)
      : Optimizer(std::move(parameters)), options_(options) {}

  bool full_batch() const override { return true; }
  double base_learning_rate() const override { return options_.learning_rate; }

  void step(double learning_rate) override {
    const at::NoGradGuard no_grad;
    for (Tensor& parameter : parameters_)
      if (parameter.grad().defined()) parameter.add_(parameter.grad(), -learning_rate);
  }

 private:
  GdOptions options_;
};

std::unique_ptr<Optimizer> make_gd(const GdOptions& options, std::vector<Tensor> parameters) {
  return std::make_unique<GradientDescent>(options, std::move(parameters));
}

}  // namespace

PLUMB_REGISTER(Optimizers, gd, GdOptions, make_gd, "gradient descent on the whole training set")

}  // namespace plumb
