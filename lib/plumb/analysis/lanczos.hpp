/// Extreme eigenpairs of a symmetric operator by the thick-restart Lanczos method.
#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>

#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// Which end of the (algebraically ordered) spectrum.
enum class SpectrumEnd { largest, smallest };

/// What an iterative eigensolver found, and how well.
struct EigenpairResult {
  Tensor eigenvalues;   // (k) float64 on the CPU, outermost first
  Tensor eigenvectors;  // (size, k) as the operator's blocks, unit columns; undefined unless asked for
  Tensor
      residuals;  // (k) float64 on the CPU: ||A v - lambda v|| of each pair, by a product with A at the end
  int64_t products = 0;    // vectors A was applied to
  int64_t iterations = 0;  // restarts or steps, as the method counts
  bool converged = false;  // every residual is within the tolerance

  /// The outermost eigenvalue and its residual: an eigenvalue of A lies within `residual()` of it (Weyl).
  double value() const { return eigenvalues[0].item<double>(); }
  double residual() const { return residuals[0].item<double>(); }
};

struct LanczosOptions {
  int64_t count = 1;
  SpectrumEnd end = SpectrumEnd::largest;
  /// A pair has converged when ||A v - lambda v|| <= tolerance * ||A||, with the largest |Ritz value| seen
  /// for ||A||. 0: 1e-9 for float64 operators, 1e-5 for float32.
  double tolerance = 0;
  /// Basis vectors kept at most, besides `count` locked ones: the memory is (basis + count) * size numbers.
  /// 0: max(2 count + 20, 40). At least count + 2.
  int64_t basis = 0;
  /// Vectors A is applied to at most; past it the result is what there is, not converged.
  int64_t products = 10000;
  /// Whether to look for further copies of multiple eigenvalues, which one Krylov space cannot hold: the
  /// search is repeated in the complement of what was found until it has nothing to add.
  bool multiple = true;
  bool vectors = true;
};

/// The `count` largest or smallest eigenpairs of A. Every basis vector is orthogonalized against all others,
/// twice; the projected matrix is kept in float64; at a restart the wanted Ritz vectors stay (Wu and Simon
/// 2000). Start vectors are drawn from `generator`. A that gives NaN or infinity is a ContractError.
EigenpairResult lanczos(const SymmetricOperator& a, const LanczosOptions& options, at::Generator& generator);

}  // namespace plumb
