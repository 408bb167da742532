#include "plumb/objective/targets.hpp"

#include <limits>

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"

namespace plumb {

TargetKind target_kind(const Tensor& targets) {
  return targets.is_floating_point() ? TargetKind::real : TargetKind::classes;
}

Tensor targets_differ(const Tensor& a, const Tensor& b) {
  const Tensor different = a.ne(b);
  return different.dim() > 1 ? different.flatten(1).any(1) : different;
}

Decision decision_for(const Tensor& targets) {
  if (target_kind(targets) == TargetKind::classes) return Decision::largest_output;
  if (targets.size(0) == 0) return Decision::none;
  if (targets.size(1) == 1) return targets.abs().eq(1).all().item<bool>() ? Decision::sign : Decision::none;
  const bool one_hot =
      targets.eq(0).logical_or(targets.eq(1)).all().item<bool>() && targets.sum(1).eq(1).all().item<bool>();
  return one_hot ? Decision::largest_output : Decision::none;
}

Tensor correct(Decision decision, const Tensor& outputs, const Tensor& targets) {
  switch (decision) {
    case Decision::sign:
      return outputs.mul(targets).gt(0).flatten();
    case Decision::largest_output:
      return outputs.argmax(1).eq(target_kind(targets) == TargetKind::real ? targets.argmax(1) : targets);
    case Decision::none:
      break;
  }
  throw ContractError("no prediction of real numbers is right or wrong");
}

Tensor correct_count(Decision decision, const Tensor& outputs, const Tensor& targets) {
  const at::TensorOptions options = outputs.options().dtype(at::kDouble).requires_grad(false);
  if (decision == Decision::none) return at::full({}, std::numeric_limits<double>::quiet_NaN(), options);
  return correct(decision, outputs, targets).sum().to(at::kDouble);
}

}  // namespace plumb
