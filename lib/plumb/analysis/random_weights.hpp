/// Random vectors that computed matrices are held against.
#pragma once

#include <ATen/core/Generator.h>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// A new generator in every call, the same ones in every run of a program that asks in the same order.
at::Generator check_generator();

/// (count) float64 on the CPU: numbers of either sign between 1/2 and 3/2 in magnitude, no two of equal
/// magnitude, spread evenly. What is booked on the wrong example is multiplied by the wrong number, which
/// random signs would hide in half of the cases.
Tensor random_weights(int64_t count, at::Generator& generator);

}  // namespace plumb
