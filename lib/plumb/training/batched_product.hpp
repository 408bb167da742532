/// Products of many small matrices.
#pragma once

#include "plumb/core/tensor.hpp"

namespace plumb {

/// A_e B_e for every e: a (e, n, k) and b (e, k, m) of one floating dtype give (e, n, m); any strides. On the
/// CPU in float32 and float64 by a kernel of its own, because a call of the BLAS library costs more than the
/// arithmetic of matrices of some ten rows; the order of each sum depends on the shapes alone, so a product
/// does not depend on what else is in the batch. Elsewhere at::bmm. Not differentiable on the CPU. Throws
/// ContractError for other shapes.
Tensor batched_product(const Tensor& a, const Tensor& b);

/// relu(A_e B_e), without a second way through memory.
Tensor batched_product_relu(const Tensor& a, const Tensor& b);

/// Overwrites `gates` (e, n, m), contiguous, by A_e B_e where they are positive and by 0 elsewhere: what
/// relu, of which the gates are the values, lets pass backward.
void batched_product_through_gates(const Tensor& a, const Tensor& b, Tensor& gates);

}  // namespace plumb
