/// Random vectors that computed matrices are held against.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// What checks draw from: another sequence in every object, the same ones in every run of a program that
/// makes them in the same order. SplitMix64 (Steele, Lea & Flood 2014), for vectors that are drawn beside
/// small kernels.
class CheckDraws {
 public:
  CheckDraws();

  uint64_t next();
  std::vector<int64_t> permutation(int64_t count);
  /// (count) float64 on the CPU: numbers of either sign between 1/2 and 3/2 in magnitude, no two of equal
  /// magnitude, spread evenly. What is booked on the wrong example is multiplied by the wrong number, which
  /// random signs would hide in half of the cases.
  Tensor weights(int64_t count);
  /// (count) float64 on the CPU: 1 or -1.
  Tensor signs(int64_t count);

 private:
  uint64_t state_;
};

/// |values|, piece by piece: LibTorch takes the norms of rows with all threads and vector instructions, that
/// of a whole tensor with neither.
double fast_norm(const Tensor& values);

}  // namespace plumb
