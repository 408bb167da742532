/// The trace of a symmetric operator by random vectors, with its standard error.
#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>

#include "plumb/analysis/linear_operator.hpp"

namespace plumb {

struct TraceEstimate {
  double value = 0;
  double standard_error = 0;  // of the random part, from the scatter of its samples; NaN for a single sample
  int64_t products = 0;       // vectors A was applied to
};

/// Hutchinson's estimate (1990): the mean of z^T A z over `samples` vectors of random signs. Its variance is
/// 2 (||A||_F^2 - sum a_ii^2) / samples.
TraceEstimate hutchinson_trace(const SymmetricOperator& a, int64_t samples, at::Generator& generator);

/// Hutch++ (Meyer, Musco, Musco and Woodruff 2021, Alg. 1): the exact trace on the range of A S, S a block of
/// products / 3 random signs, and Hutchinson's estimate on the rest. For a semidefinite A the error falls as
/// 1 / products, instead of its root. `products` is at least 3; not more than 3 size are of use, where the
/// value is exact.
TraceEstimate hutch_plus_plus_trace(const SymmetricOperator& a, int64_t products, at::Generator& generator);

}  // namespace plumb
