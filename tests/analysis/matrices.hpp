/// Matrices whose spectrum is known because they were built from it.
#pragma once

#include <tuple>

#include <torch/torch.h>

#include "plumb/core/random.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// An orthogonal (n, n) matrix from the QR factorization of normal draws, float64.
inline Tensor random_orthogonal(int64_t n, const char* purpose = "orthogonal") {
  at::Generator generator = Seed(17).stream(purpose);
  return std::get<0>(at::linalg_qr(at::randn({n, n}, generator, at::TensorOptions(at::kDouble))));
}

/// U diag(sigma) V^T of the shape (sigma's length, columns), float64.
inline Tensor with_singular_values(const Tensor& sigma, int64_t columns) {
  const int64_t m = sigma.numel();
  at::Generator generator = Seed(18).stream("right");
  const Tensor v =
      std::get<0>(at::linalg_qr(at::randn({columns, m}, generator, at::TensorOptions(at::kDouble))));
  return at::mm(random_orthogonal(m, "left") * sigma, v.t());
}

/// Q diag(lambda) Q^T, exactly symmetric, float64.
inline Tensor with_eigenvalues(const Tensor& lambda) {
  const Tensor q = random_orthogonal(lambda.numel());
  const Tensor a = at::mm(q * lambda, q.t());
  return (a + a.t()) / 2;
}

/// The 1-D Laplacian tridiag(-1, 2, -1) of size n: eigenvalues 2 - 2 cos(k pi / (n + 1)), k = 1 .. n.
inline Tensor laplacian(int64_t n) {
  Tensor a = at::zeros({n, n}, at::kDouble);
  a.diagonal().fill_(2);
  a.diagonal(1).fill_(-1);
  a.diagonal(-1).fill_(-1);
  return a;
}

inline Tensor laplacian_eigenvalues(int64_t n) {
  const Tensor k = at::arange(1, n + 1, at::TensorOptions(at::kDouble));
  return 2 - 2 * at::cos(k * M_PI / static_cast<double>(n + 1));
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace plumb
