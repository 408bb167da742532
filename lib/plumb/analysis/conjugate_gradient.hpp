/// Linear systems with a positive definite operator by conjugate gradients.
#pragma once

#include <cstdint>

#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

struct ConjugateGradientOptions {
  /// A column has converged when ||b - A x|| <= tolerance * ||b||. 0: 1e-10 for float64 operators, 1e-5 for
  /// float32.
  double tolerance = 0;
  int64_t iterations = 1000;
  /// M^{-1} X for a symmetric positive definite M near A; empty: none.
  BlockFunction preconditioner = {};
};

/// What conjugate gradients reached.
struct SolveResult {
  Tensor solution;   // (size, b) as the operator's blocks
  Tensor residuals;  // (b) float64 on the CPU: ||b - A x|| / ||b|| by a product at the end; 0 where b = 0
  int64_t iterations = 0;
  int64_t products = 0;    // vectors A was applied to
  bool converged = false;  // every residual is within the tolerance
  bool indefinite =
      false;  // a direction p with p^T A p <= 0 was met, where the search of that column stopped
};

/// Solves A X = B for a symmetric positive definite A (Hestenes and Stiefel 1952), the columns of B (size, b)
/// side by side but each with its own step lengths. On a semidefinite A it converges for B in the range of A.
/// The residual is computed anew, and the search started again from there, where the recurrence claims more
/// than is true.
SolveResult conjugate_gradient(const SymmetricOperator& a, const Tensor& b,
                               const ConjugateGradientOptions& options = {});

}  // namespace plumb
