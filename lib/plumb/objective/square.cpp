#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include "plumb/objective/loss.hpp"

namespace plumb {
namespace {

struct SquareOptions : LossOptions {
  double factor = 1;

  void fields(Fields& f) {
    LossOptions::fields(f);
    f.field("factor", factor, "1 for ||h - y||^2, 0.5 for 1/2 ||h - y||^2", positive);
  }
};

Tensor square_sum(const Tensor& outputs, const Tensor& targets, double factor) {
  const bool classes = target_kind(targets) == TargetKind::classes;
  const Tensor y = classes ? at::one_hot(targets, outputs.size(1)).to(outputs.scalar_type()) : targets;
  // A column and a row of n numbers would be subtracted as an n x n table.
  expects(outputs.sizes() == y.sizes(), "square loss: outputs of shape ({}), targets of shape ({})",
          fmt::join(outputs.sizes(), ", "), fmt::join(y.sizes(), ", "));
  return (outputs - y).square().sum() * factor;
}

Loss make_square(const SquareOptions& options) {
  return {.sum = [factor = options.factor](
                     const Tensor& outputs,
                     const Tensor& targets) { return square_sum(outputs, targets, factor); },
          .reduction = options.reduction,
          .takes_classes = true,
          .takes_real = true,
          .square_factor = options.factor};
}

}  // namespace

PLUMB_REGISTER(Losses, square, SquareOptions, make_square,
               "factor * ||h - y||^2, of real numbers, or of classes as one-hot vectors")

}  // namespace plumb
