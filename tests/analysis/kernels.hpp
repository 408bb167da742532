/// What tangent kernels are held against, and an operator that LibTorch batches wrongly.
#pragma once

#include <vector>

#include <ATen/functorch/BatchedTensorImpl.h>
#include <torch/torch.h>

#include "plumb/analysis/network_function.hpp"

namespace plumb::test {

/// J by one backward pass per row, (n c, p), float64.
inline Tensor brute_force_jacobian(const NetworkFunction& function, const Tensor& inputs) {
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < inputs.size(0); ++i) {
    const Tensor outputs = function(inputs.slice(0, i, i + 1));
    for (int64_t k = 0; k < outputs.size(1); ++k) {
      const auto gradients =
          torch::autograd::grad({outputs[0][k]}, function.parameters(), {}, true, false, true);
      std::vector<Tensor> parts;
      for (size_t p = 0; p < gradients.size(); ++p)
        parts.push_back(gradients[p].defined()
                            ? gradients[p].flatten()
                            : torch::zeros(function.parameters()[p].numel(), torch::kDouble));
      rows.push_back(torch::cat(parts));
    }
  }
  return torch::stack(rows);
}

inline double relative_error(const Tensor& found, const Tensor& expected) {
  return (found - expected).norm().item<double>() / expected.norm().item<double>();
}

/// The identity, whose derivative is doubled where LibTorch batches it: what a wrong batching rule does.
struct DoubledInBatches : torch::autograd::Function<DoubledInBatches> {
  static inline bool wrong = true;

  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return x.clone(); }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               const torch::autograd::tensor_list& gradients) {
    return {wrong && at::functorch::isBatchedTensor(gradients[0]) ? 2 * gradients[0] : gradients[0]};
  }
};

}  // namespace plumb::test
