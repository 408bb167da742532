/// E1, the edge of stability (Cohen et al. 2021): sharpness along gradient descent on a small network and on
/// a lazy one, and the claims made of it.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"

namespace plumb {

/// f(x) = sum_r v_r tanh(w_r x + b_r) of one number x, and L = 1/(2n) sum_i (f(x_i) - y_i)^2 (the paper's
/// loss). theta = (w, b, v), 3 h numbers; float64.
struct CurveFit {
  Tensor inputs, targets;  // (n)

  double loss(const Tensor& theta) const;
  Tensor gradient(const Tensor& theta) const;  // (3 h)
  Tensor hessian(const Tensor& theta) const;   // (3 h, 3 h), in closed form
};

/// `points` equally spaced numbers on [-1, 1] with the Chebyshev polynomial T_degree there.
CurveFit chebyshev_task(int64_t degree, int64_t points);

/// w ~ N(0, 1.9^2 2/(1 + h)), b = 0, v ~ N(0, 2/(1 + h)): the paper's initialization.
Tensor curve_start(int64_t width, at::Generator& generator);

struct EdgeRun {
  double step = 0;
  std::vector<int64_t> steps;     // recorded
  std::vector<double> sharpness;  // lambda_max of the Hessian, at each
  std::vector<double> losses;     // at each
  int64_t crossing = -1;          // the first recorded step with sharpness above 2/eta; -1: none
  int64_t rises_before = 0;       // steps before it on which the loss rose
  int64_t rises_after = 0;        // and after

  double threshold() const { return 2 / step; }
  /// Of the sharpness over the second half of the records, as a share of 2/eta.
  double median_share() const;
};
EdgeRun run_to_edge(const CurveFit& task, Tensor theta, double step, int64_t steps, int64_t records);

/// Gradient descent on 1/2 ||f - y||^2 of a wide network (1/sqrt m) sum_r a_r tanh(w_r x + b_r) from f = 0,
/// targets along the first eigenvector of G = J J^T.
struct LazyMode {
  double step_share = 0;        // eta lambda_max(G)/2
  double factor = 0;            // (|r_K|/|r_0|)^(1/K) along that eigenvector
  double predicted = 0;         // |1 - eta lambda_max(G)|
  double sharpness_change = 0;  // |lambda_max(G_K) - lambda_max(G_0)|/lambda_max(G_0)
};
LazyMode run_lazy_mode(const Tensor& points, int64_t width, double step_share, int64_t steps,
                       at::Generator& generator);

struct EdgeRuns {
  EdgeRun edge;         // eta as the paper would choose it
  EdgeRun short_steps;  // so small that 2/eta is not reached
  LazyMode stable, unstable;
};

std::vector<Claim> edge_of_stability_claims(const EdgeRuns& runs);

}  // namespace plumb
