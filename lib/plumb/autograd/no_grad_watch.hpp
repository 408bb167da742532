/// Whether code computes without recording gradients.
#pragma once

#include <ATen/record_function.h>

namespace plumb::autograd {

/// Sees the operators that run in this thread, from its making to its end, while gradient recording is off:
/// what a forward pass hides in torch::NoGradGuard is constant for backward, but not for forward mode, which
/// carries tangents through it. Only one at a time in a thread; recording has to be on when it is made.
class NoGradWatch {
 public:
  NoGradWatch();
  NoGradWatch(const NoGradWatch&) = delete;
  NoGradWatch& operator=(const NoGradWatch&) = delete;
  ~NoGradWatch();

  bool saw_operators() const;

 private:
  at::CallbackHandle handle_;
};

}  // namespace plumb::autograd
