/// The same computation in float64, for whoever must tell rounding from what a network computes.
#pragma once

namespace plumb {

/// While one lives, the operators that its thread calls compute in float64: floating numbers of fewer bits
/// are widened when an operator takes them, exactly, and dtypes asked for are read as float64. (Complex
/// numbers alike.) What only looks at a tensor (view, detach, contiguous) leaves its dtype alone. An operator
/// that writes into a tensor of fewer bits still rounds to them, and bits that are read as another type are
/// other ones; `complete` says whether neither happened. Code that reads memory as a fixed C++ type meets
/// float64 in it, which LibTorch's accessors refuse. Gradient recording should be off.
class DoubleArithmetic {
 public:
  DoubleArithmetic();
  ~DoubleArithmetic();
  DoubleArithmetic(const DoubleArithmetic&) = delete;
  DoubleArithmetic& operator=(const DoubleArithmetic&) = delete;

  bool complete() const;

 private:
  bool included_, complete_;  // of the scope around this one
};

}  // namespace plumb
