/// Which sum of squares the objective is: every step size, rate and PL constant depends on it.
#pragma once

#include <cstdint>

namespace plumb::theory {

/// The objective as a multiple of ||r||^2, r = f(w) - y over n examples.
enum class SquaredLoss {
  half_sum,   // 1/2 ||r||^2: Du, Oymak, Lee, Jacot, Liu
  sum,        // ||r||^2: the slides, Song et al. 2021
  half_mean,  // 1/(2n) ||r||^2: Cohen et al. 2021
  mean,       // 1/n ||r||^2
};

/// The factor c in L = c ||r||^2: 1/2, 1, 1/(2n) or 1/n.
constexpr double loss_factor(SquaredLoss loss, int64_t n) {
  const double half = loss == SquaredLoss::half_sum || loss == SquaredLoss::half_mean ? 0.5 : 1;
  const bool averaged = loss == SquaredLoss::half_mean || loss == SquaredLoss::mean;
  return averaged ? half / static_cast<double>(n) : half;
}

/// gamma of the residual recursion r_{k+1} = (I - gamma G) r_k for a gradient step of size eta: 2 c eta,
/// because grad L = 2 c J^T r. eta itself for half_sum.
constexpr double gamma_of_step(SquaredLoss loss, double step, int64_t n) {
  return 2 * loss_factor(loss, n) * step;
}

/// The step size eta that makes this gamma.
constexpr double step_of_gamma(SquaredLoss loss, double gamma, int64_t n) {
  return gamma / (2 * loss_factor(loss, n));
}

/// The largest mu with ||grad L||^2 >= mu L wherever lambda_min(J J^T) is at least `lambda_min` (the slides'
/// convention, L* = 0): 4 c lambda_min, which is 4 lambda_min(G) for the slides' loss ||r||^2. From
/// ||grad L||^2 = 4 c^2 r^T G r.
constexpr double slides_pl_constant(SquaredLoss loss, double lambda_min, int64_t n) {
  return 4 * loss_factor(loss, n) * lambda_min;
}

}  // namespace plumb::theory
