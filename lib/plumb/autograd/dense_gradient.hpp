/// Gradients as analysis adds them up: plain tensors, whatever an operator returned.
#pragma once

#include <ATen/ATen.h>

namespace plumb::autograd {

/// The gradient without a graph and, when an operator returned it sparse (an embedding made with
/// `sparse`), dense; undefined stays undefined.
inline at::Tensor dense_gradient(const at::Tensor& gradient) {
  if (!gradient.defined()) return gradient;
  const at::Tensor values = gradient.detach();
  return values.is_sparse() ? values.to_dense() : values;
}

}  // namespace plumb::autograd
