/// S1, gradient descent on smooth functions with a PL constant: its runs, and the claims made of them.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/convergence.hpp"

namespace plumb {

/// Gradient descent on one function, with constants measured for it. float64.
struct PlDescent {
  theory::PlProblem problem;   // mu in the slides' convention; nothing observed
  double step = 0;             // eta
  std::vector<double> gaps;    // f(w_k) - f*, k = 0, 1, ...
  std::vector<double> ratios;  // ||grad f(w_k)||^2 / (f(w_k) - f*) while the gap is more than rounding
};

/// x^2 + 3 sin^2 x from `start` with step 1/beta. mu and beta are the extremes of f'^2/f and of the
/// difference quotients of f' on 400,000 points of [-start, start].
PlDescent descend_wavy(double start, int64_t steps);

/// ||X w - y||^2 from w = 0 with `step_factor`/beta; mu = 4 lambda_min(X X^T), beta = 2 lambda_max. X (n, d)
/// has rank n, so that f* = 0.
PlDescent descend_least_squares(const Tensor& inputs, const Tensor& targets, double step_factor,
                                int64_t steps);

/// The runs of one evaluation.
struct GdPlRuns {
  PlDescent wavy;
  PlDescent generic;   // least squares, random targets
  PlDescent slowest;   // targets along the eigenvector of lambda_min
  PlDescent too_long;  // targets along that of lambda_max, step 2.2/beta
};

std::vector<Claim> gd_pl_claims(const GdPlRuns& runs);

}  // namespace plumb
