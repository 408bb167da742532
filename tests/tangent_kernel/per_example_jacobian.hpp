/// The reference for Jacobians and kernels: every example alone, one backward pass for each output, in
/// float64.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/analysis/network_function.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb::test {

/// J (n c, p), float64, on the CPU; where a gradient is not defined or sparse, what it stands for.
Tensor per_example_jacobian(const std::function<Tensor(const Tensor&)>& forward,
                            const std::vector<Tensor>& parameters, const Tensor& inputs);

/// J^T u (p), float64, from one backward pass for each example.
Tensor per_example_pull_back(const std::function<Tensor(const Tensor&)>& forward,
                             const std::vector<Tensor>& parameters, const Tensor& inputs, const Tensor& u);

/// J from predictions of the whole batch, in which examples may meet.
Tensor whole_batch_jacobian(const std::function<Tensor(const Tensor&)>& forward,
                            const std::vector<Tensor>& parameters, const Tensor& inputs);

/// Predictions of every example alone, one row for each.
Tensor per_example_predictions(const std::function<Tensor(const Tensor&)>& forward, const Tensor& inputs);

/// (n c, n' c) to the traces over outputs, (n, n').
Tensor summed_over_outputs(const Tensor& kernel, int64_t outputs);

}  // namespace plumb::test
