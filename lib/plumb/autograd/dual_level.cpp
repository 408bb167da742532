#include "plumb/autograd/dual_level.hpp"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>

#include "plumb/core/error.hpp"

namespace plumb::autograd {
namespace {

uint64_t enter_level() {
  expects(
      !c10::InferenceMode::is_enabled(),
      "forward-mode differentiation in inference mode: no derivative is kept there; leave inference mode");
  try {
    return torch::autograd::forward_ad::enter_dual_level();
  } catch (const c10::Error&) {
    throw ContractError(
        "forward-mode differentiation within forward-mode differentiation: LibTorch has a single level; use "
        "reverse mode for one of the two");
  }
}

}  // namespace

DualLevel::DualLevel() : index_(enter_level()) {}

DualLevel::~DualLevel() { torch::autograd::forward_ad::exit_dual_level(index_); }

bool DualLevel::any_open() { return torch::autograd::ForwardADLevel::try_get_by_idx(0) != nullptr; }

Tensor DualLevel::dual(const Tensor& primal, const Tensor& tangent) const {
  return at::_make_dual(primal, tangent, static_cast<int64_t>(index_));
}

void DualLevel::set_tangent(const Tensor& tensor, const Tensor& tangent) const {
  tensor._set_fw_grad(tangent, index_, /*is_inplace_op=*/false);
}

Tensor DualLevel::tangent(const Tensor& tensor) const { return tensor._fw_grad(index_); }

}  // namespace plumb::autograd
