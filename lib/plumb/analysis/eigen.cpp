#include "plumb/analysis/eigen.hpp"

#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

void expects_floating_matrix(const Tensor& a, const char* what) {
  expects(a.defined() && a.dim() == 2, "{}: not a matrix; a tensor of two dimensions is expected", what);
  expects(a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble,
          "{}: entries of {}; float32 or float64 is expected", what, c10::toString(a.scalar_type()));
  expects(a.numel() > 0, "{}: {} x {}; at least one entry is expected", what, a.size(0), a.size(1));
  // A sum is finite only if every entry is; an overflow of it is told apart by looking again.
  if (std::isfinite(a.sum(at::kDouble).item<double>())) return;
  const int64_t bad = a.numel() - at::isfinite(a).sum().item<int64_t>();
  expects(bad == 0, "{}: {} of {} entries are not finite; finite entries are expected", what, bad, a.numel());
}

}  // namespace

Tensor checked_symmetric(const Tensor& a, double tolerance) {
  expects_floating_matrix(a, "symmetric matrix");
  const int64_t n = a.size(0);
  expects(n == a.size(1), "symmetric matrix: {} x {}; a square matrix is expected", n, a.size(1));
  if (tolerance == 0) tolerance = a.scalar_type() == at::kFloat ? 1e-3 : 1e-8;
  const Tensor wide = a.detach().to(at::kDouble);
  const double largest = wide.abs().max().item<double>();
  const double apart = (wide - wide.t()).abs_().max().item<double>();
  expects(apart <= tolerance * largest,
          "symmetric matrix: differs from its transpose by {:.3g} where the largest entry is {:.3g}; at most "
          "{:.3g} times "
          "that is expected",
          apart, largest, tolerance);
  // Halved before the sum, which could overflow.
  return wide.mul(0.5).add_(wide.t(), 0.5);
}

Tensor symmetric_eigenvalues(const Tensor& a) {
  const Tensor checked = checked_symmetric(a);
  const OneBlasThread small(checked.size(0));
  return at::linalg_eigvalsh(checked);
}

SymmetricEigen symmetric_eigen(const Tensor& a) {
  // The size first: at 32,767 the copies alone take seconds.
  expects(!a.defined() || a.dim() != 2 || !a.device().is_cpu() || a.size(0) <= largest_size_with_eigenvectors,
          "eigenvectors: {} rows; at most {} are possible, because LAPACK counts the workspace of 2 n^2 "
          "numbers in 32 bits; "
          "ask for the eigenvalues alone, or for some eigenpairs by lanczos or lobpcg",
          a.defined() ? a.size(0) : 0, largest_size_with_eigenvectors);
  const Tensor checked = checked_symmetric(a);
  const OneBlasThread small(checked.size(0));
  auto [values, vectors] = at::linalg_eigh(checked);
  return {values, vectors};
}

Tensor singular_values(const Tensor& a) {
  expects_floating_matrix(a, "singular values");
  const Tensor wide = a.detach().to(at::kDouble);
  const Tensor tall = wide.size(0) >= wide.size(1) ? wide : wide.t();
  // Of a matrix much taller than wide only the triangular factor matters, and it is cheaper to bidiagonalize.
  if (tall.size(0) < 2 * tall.size(1)) return at::linalg_svdvals(tall);
  return at::linalg_svdvals(std::get<1>(at::linalg_qr(tall, "r")));
}

}  // namespace plumb
