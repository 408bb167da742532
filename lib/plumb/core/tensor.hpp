/// The tensor type, from the lightest header that has it, for headers that only pass tensors along.
#pragma once

#include <ATen/core/Tensor.h>

namespace plumb {
using at::Tensor;
}  // namespace plumb
