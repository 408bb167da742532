/// The numbers that sum up a list of singular values.
#pragma once

#include <cstdint>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// Singular values of a matrix A, all of them or the leading ones.
struct Spectrum {
  Tensor values;  // (k) float64 on the CPU, descending, not negative

  /// The singular values in any order and on any device; finite and not negative.
  static Spectrum of_singular_values(const Tensor& values);

  /// From the eigenvalues of A A^T or A^T A: sigma = sqrt(lambda), rounding noise below zero taken as 0.
  static Spectrum of_gram_eigenvalues(const Tensor& eigenvalues);

  int64_t size() const { return values.numel(); }

  /// The largest and the smallest one; NaN where there is none.
  double largest() const;
  double smallest() const;

  /// sigma_max / sigma_min; infinite where sigma_min = 0.
  double condition_number() const;

  /// ||A||_F^2 / ||A||_2^2, between 1 and the rank; 0 for a zero matrix.
  double stable_rank() const;

  /// exp of the entropy of sigma_i / sum sigma, between 1 and the rank (Roy and Vetterli 2007); 0 for a zero
  /// matrix.
  double effective_rank() const;

  /// How many lie above `tolerance`.
  int64_t count_above(double tolerance) const;
};

}  // namespace plumb
