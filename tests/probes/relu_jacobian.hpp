/// The Jacobian of a network with one hidden layer of ReLUs, written out.
#pragma once

#include <torch/torch.h>

namespace plumb::test {

/// weights: W (m, d), b (m), V (c, m), a (c) of h = V relu(W x + b) + a; inputs (n, d). Rows i c + k, columns
/// in the order of the weights.
inline at::Tensor relu_jacobian(const std::vector<at::Tensor>& weights, const at::Tensor& inputs) {
  const at::Tensor &w = weights[0], &b = weights[1], &v = weights[2];
  const int64_t n = inputs.size(0), c = v.size(0), m = v.size(1), d = w.size(1);
  const at::Tensor z = inputs.mm(w.t()) + b;                                     // (n, m)
  const at::Tensor slope = v.unsqueeze(0) * (z > 0).to(v.dtype()).unsqueeze(1);  // (n, c, m): dh_k / dz_r
  const at::Tensor to_w = slope.unsqueeze(3) * inputs.view({n, 1, 1, d});
  const at::Tensor same = torch::eye(c, v.options());
  const at::Tensor to_v = same.view({1, c, c, 1}) * torch::relu(z).view({n, 1, 1, m});
  const at::Tensor to_a = same.unsqueeze(0).expand({n, c, c});
  return torch::cat({to_w.reshape({n * c, m * d}), slope.reshape({n * c, m}), to_v.reshape({n * c, c * m}),
                     to_a.reshape({n * c, c})},
                    1);
}

}  // namespace plumb::test
