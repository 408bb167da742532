/// The differences between LibTorch 1.13 and 2.x, in one place.
#pragma once

#include <mutex>

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/edge.h>
#include <torch/version.h>

namespace plumb {

/// What holds a node of the autograd graph: a std::shared_ptr, and in the newest versions a
/// c10::intrusive_ptr.
using NodePointer = decltype(torch::autograd::Edge::function);

/// Held while a batch of at::functorch is open. LibTorch 1.13 keeps the levels of all threads in one table
/// without a lock, by numbers that each thread counts for itself; 2.0 and later keep them apart.
class BatchingLock {
#if TORCH_VERSION_MAJOR < 2
 public:
  BatchingLock() : lock_(mutex()) {}

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex one;
    return one;
  }
  std::unique_lock<std::recursive_mutex> lock_;
#endif
};

/// Within its scope, and when enabled, matrix products and convolutions on CUDA run in bfloat16.
class AutocastGuard {
 public:
  explicit AutocastGuard(bool enabled) : enabled_(enabled) {
    if (!enabled_) return;
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
#else
    at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
    at::autocast::set_enabled(true);
#endif
    at::autocast::increment_nesting();
  }
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;
  ~AutocastGuard() {
    if (!enabled_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCUDA, false);
#else
    at::autocast::set_enabled(false);
#endif
  }

 private:
  bool enabled_;
};

}  // namespace plumb
