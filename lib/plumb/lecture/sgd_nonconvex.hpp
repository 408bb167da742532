/// S2, SGD on a smooth function that is not convex: its runs, and the claims made of them.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/convergence.hpp"

namespace plumb {

/// f(w) = (1/n) sum_i phi(x_i.w - y_i), phi(t) = t^2/(1 + t^2): robust regression. Since |phi''| <= 2 and
/// |phi'| <= 3 sqrt(3)/8, f is beta-smooth with beta = 2 lambda_max(X^T X)/n and gradients of one random
/// example have second moment at most C^2 = 27/64 mean ||x_i||^2, everywhere. f >= 0. float64.
class RobustRegression {
 public:
  /// `inputs`: (n, d), `targets`: (n).
  RobustRegression(Tensor inputs, Tensor targets);

  theory::SmoothProblem problem() const;  // from w = 0, with f* replaced by 0
  double gradient_bound() const;          // C

  /// The values (s) and full gradients (s, d) at s points at once, and the second moments (s) of one
  /// example's.
  struct At {
    Tensor values, gradients, second_moments;
  };
  At at(const Tensor& points) const;
  /// The gradients (s, d) at s points of one example each.
  Tensor example_gradients(const Tensor& points, const Tensor& examples) const;
  int64_t examples() const { return inputs_.size(0); }
  int64_t dimension() const { return inputs_.size(1); }

 private:
  Tensor inputs_, targets_;
};

/// SGD from w = 0 with one example a step, the same for every run but the draws.
struct SgdAverage {
  int64_t horizon = 0;               // T
  double step = 0;                   // gamma
  theory::Measured gradient_norm;    // (1/T) sum_{t < T} ||grad f(w_t)||^2 over runs, 95 % interval
  theory::Measured telescoped;       // that minus (f(w_0) - f(w_T))/(gamma T)
  double largest_second_moment = 0;  // E_i ||g_i||^2 seen
};

/// `runs` independent runs of `horizon` steps, 8 or more for the interval to be one.
SgdAverage average_sgd(const RobustRegression& f, double step, int64_t horizon, int64_t runs,
                       at::Generator& generator);

struct SgdNonconvexRuns {
  theory::SmoothProblem problem;
  double gradient_bound = 0;
  std::vector<SgdAverage> averages;  // growing horizons, each with its best step
  std::vector<double> descent;       // min_{t < T} ||grad f||^2 of gradient descent at the same horizons
};

std::vector<Claim> sgd_nonconvex_claims(const SgdNonconvexRuns& runs);

}  // namespace plumb
