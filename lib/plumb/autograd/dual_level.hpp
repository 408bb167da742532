/// One level of forward-mode differentiation, entered and left with its scope.
#pragma once

#include <cstdint>

#include "plumb/autograd/exclusive_use.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb::autograd {

/// Within its scope tensors may carry a tangent, which every operator carries on; afterwards no tensor has
/// one. LibTorch knows a single level: the constructor waits for other threads, and throws ContractError
/// while another one is open in this thread, and in inference mode, where tangents would silently be dropped.
class DualLevel {
 public:
  DualLevel();
  DualLevel(const DualLevel&) = delete;
  DualLevel& operator=(const DualLevel&) = delete;
  ~DualLevel();

  /// A tensor in the memory of `primal` that carries `tangent`, of the same shape.
  Tensor dual(const Tensor& primal, const Tensor& tangent) const;

  /// Gives `tensor` itself a tangent of its shape, once in this level; for leaves that a module holds.
  void set_tangent(const Tensor& tensor, const Tensor& tangent) const;

  /// The tangent of `tensor`, which outlives the level; undefined where it depends on no tensor with a
  /// tangent.
  Tensor tangent(const Tensor& tensor) const;

 private:
  ExclusiveUse use_;
  uint64_t index_;
};

}  // namespace plumb::autograd
