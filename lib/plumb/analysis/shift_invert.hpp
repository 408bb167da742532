/// Eigenpairs nearest to a number, by Lanczos on the inverse: the way to the small end of a stiff spectrum.
#pragma once

#include <cstdint>
#include <utility>

#include <ATen/core/Generator.h>

#include "plumb/analysis/conjugate_gradient.hpp"
#include "plumb/analysis/lanczos.hpp"
#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// (A - shift I)^{-1} of a dense symmetric A, by one factorization in float64: Cholesky where A - shift I is
/// positive definite, L D L^T with pivoting otherwise.
class InverseOperator : public SymmetricOperator {
 public:
  /// a: (size, size), symmetric and finite. A shift at which the factorization breaks down, an eigenvalue to
  /// rounding, is a ContractError.
  explicit InverseOperator(const Tensor& a, double shift = 0);

  int64_t size() const override { return factor_.size(0); }
  at::TensorOptions options() const override { return factor_.options(); }
  Tensor apply(const Tensor& x) const override;

  /// Whether A - shift I was found positive definite: then every eigenvalue of A lies above the shift.
  bool definite() const { return !pivots_.defined(); }

 private:
  Tensor factor_;
  Tensor pivots_;  // undefined for a Cholesky factor
};

/// (A - shift I)^{-1} of an operator by conjugate gradients, for shifts below the spectrum. Keeps a
/// reference: A must live longer.
class IterativeInverseOperator : public SymmetricOperator {
 public:
  IterativeInverseOperator(const SymmetricOperator& a, double shift, ConjugateGradientOptions options = {})
      : shifted_(a, -shift), options_(std::move(options)) {}

  int64_t size() const override { return shifted_.size(); }
  at::TensorOptions options() const override { return shifted_.options(); }

  /// Solves for each column; an unconverged solve is used as it is and remembered in converged().
  Tensor apply(const Tensor& x) const override;

  /// Whether every solve so far converged.
  bool converged() const { return converged_; }

 private:
  ShiftedOperator shifted_;
  ConjugateGradientOptions options_;
  mutable bool converged_ = true;
};

/// The `options.count` eigenpairs of a dense symmetric A nearest to `shift`, nearest first. The tolerance is
/// relative to the inverse's norm; the residuals are those of A itself, in float64. `options.end` is not
/// read.
EigenpairResult shift_invert(const Tensor& a, double shift, const LanczosOptions& options,
                             at::Generator& generator);

/// The same for an operator, of which no eigenvalue may lie below the shift: by conjugate gradients.
EigenpairResult shift_invert(const SymmetricOperator& a, double shift, const LanczosOptions& options,
                             at::Generator& generator, const ConjugateGradientOptions& solver = {});

}  // namespace plumb
