/// The derivative of a network's outputs along a direction in the space of its parameters.
#pragma once

#include <functional>
#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb::autograd {

/// How a directional derivative is computed. Forward mode costs about two forward passes and records no
/// graph. Differentiating the backward pass once more costs about three passes and the memory of their graph,
/// and serves operators that LibTorch cannot differentiate in forward mode.
enum class JvpRoute {
  automatic,        // forward mode, and double_backward where LibTorch refuses it
  forward_mode,     // throws ContractError that names the operator without a forward formula
  double_backward,  // with cotangents u: d/du <sum_i (J_i^T u), v_i> = J v
};

/// J v = sum_i d forward()/d parameters[i] applied to tangents[i]: a new tensor of the outputs' shape,
/// without a graph; 0 where the outputs do not depend on the parameters. `forward` evaluates a network that
/// holds the parameters; it may be called twice, and should do the same every time. Each tangent has its
/// parameter's shape, dtype and device. Parameters need not require gradients, and are left as they were.
/// Forward mode follows the numbers also through a part of `forward` that runs without gradient recording
/// (torch::NoGradGuard), which the other route takes as constant; detach() makes a part constant for both.
/// Throws ContractError when the tensors do not match, when a parameter is listed twice, when the outputs are
/// not floating point, in inference mode, and when neither route can differentiate an operator.
Tensor jvp_of_parameters(const std::function<Tensor()>& forward, const std::vector<Tensor>& parameters,
                         const std::vector<Tensor>& tangents, JvpRoute route = JvpRoute::automatic);

}  // namespace plumb::autograd
