#include <ATen/Functions.h>

#include "plumb/objective/loss.hpp"

namespace plumb {
namespace {

Loss make_cross_entropy(const LossOptions& options) {
  return {[](const Tensor& outputs, const Tensor& targets) {
            return at::cross_entropy_loss(outputs, targets, {}, at::Reduction::Sum);
          },
          options.reduction};
}

}  // namespace

PLUMB_REGISTER(Losses, cross_entropy, LossOptions, make_cross_entropy, "-log softmax(h)_y, of classes")

}  // namespace plumb
