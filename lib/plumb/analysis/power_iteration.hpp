/// The eigenvalue of largest modulus by repeated multiplication: the least memory, and the slowest.
#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>

#include "plumb/analysis/lanczos.hpp"
#include "plumb/analysis/linear_operator.hpp"

namespace plumb {

struct PowerIterationOptions {
  /// Ends when ||A v - theta v|| <= tolerance * |theta|. 0: 1e-6 for float64 operators, 1e-4 for float32.
  double tolerance = 0;
  int64_t iterations = 1000;
};

/// The eigenpair of largest |lambda|. The error of the eigenvalue shrinks by (lambda_2 / lambda_1)^2 a step;
/// two of equal modulus and opposite sign never part, and the residual shows it. The start vector is drawn
/// from `generator`.
EigenpairResult power_iteration(const SymmetricOperator& a, const PowerIterationOptions& options,
                                at::Generator& generator);

}  // namespace plumb
