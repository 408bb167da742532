/// The order in which training examples are visited: every epoch a new random permutation, cut into batches.
#pragma once

#include <ATen/core/Generator.h>

#include "plumb/core/archive.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// Yields index batches; the last batch of an epoch holds what is left.
class Sampler {
 public:
  /// Shuffles 0 .. examples-1 with `generator` at the start of each epoch; permutations live on `device`.
  Sampler(int64_t examples, int64_t batch_size, at::Generator generator, at::Device device);

  /// (b) int64 on the device: the next batch's examples.
  Tensor next();

  int64_t epoch() const { return epoch_; }  // completed epochs
  int64_t steps_per_epoch() const { return (examples_ + batch_size_ - 1) / batch_size_; }
  bool at_epoch_start() const { return position_ == 0; }
  /// Epochs done, with fraction.
  double progress() const {
    return static_cast<double>(epoch_) + static_cast<double>(position_) / static_cast<double>(examples_);
  }

  Archive state() const;
  void load(const Archive& archive);

 private:
  int64_t examples_, batch_size_;
  at::Generator generator_;
  at::Device device_;
  Tensor permutation_;  // of the present epoch; undefined before the first batch
  int64_t position_ = 0;
  int64_t epoch_ = 0;
};

}  // namespace plumb
