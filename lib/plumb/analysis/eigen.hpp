/// Eigenvalues of dense symmetric matrices, in float64, with bad input and hopeless sizes refused before work
/// starts.
#pragma once

#include <cstdint>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// The largest matrix whose eigenvectors LAPACK's syevd can find: its workspace of 1 + 6 n + 2 n^2 numbers is
/// counted in 32 bits. Eigenvalues alone need a workspace in proportion to n and have no such limit.
inline constexpr int64_t largest_size_with_eigenvectors = 32766;

struct SymmetricEigen {
  Tensor values;   // (n) float64, ascending
  Tensor vectors;  // (n, n) float64: column i belongs to values[i]
};

/// (A + A^T) / 2 in float64, on A's device. `a` must be square, float32 or float64 and finite, and differ
/// from its transpose by no more than `tolerance` times its largest entry; 0 stands for 1e-3 in float32 and
/// 1e-8 in float64, which products summed in different orders keep. Throws ContractError naming what was
/// found.
Tensor checked_symmetric(const Tensor& a, double tolerance = 0);

/// The eigenvalues (n) of a symmetric matrix, ascending, float64, on A's device. Input as for
/// checked_symmetric. The largest absolute error is about n u ||A||_2, u = 1.1e-16.
Tensor symmetric_eigenvalues(const Tensor& a);

/// Eigenvalues and eigenvectors. On the CPU a matrix of more than largest_size_with_eigenvectors rows is a
/// ContractError that names the alternatives.
SymmetricEigen symmetric_eigen(const Tensor& a);

/// The singular values (min(m, n)) of a matrix, descending, float64, on its device. Not squared: a singular
/// value is found to about max(m, n) u sigma_max. `a` must be finite.
Tensor singular_values(const Tensor& a);

}  // namespace plumb
