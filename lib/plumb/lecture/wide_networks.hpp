/// S9, gradient descent on wide two-layer ReLU networks: what is measured along its runs, and the claims made
/// of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/random.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/wide_networks.hpp"

namespace plumb {

/// Gradient descent from one start at one width m, on W only, with L = 1/2 ||u - y||^2; r = y - u. float64.
struct WideRun {
  theory::WideSetting setting;  // with width, step, delta and the residual of this start
  std::string place;            // "width 256, start 0"

  std::vector<double> squared_residuals;  // ||r_k||^2 at every step k = 0, 1, ...
  /// At these steps (0, powers of 2, the last one):
  std::vector<int64_t> recorded;
  std::vector<double> lambda_min;  // of H(k)
  std::vector<double> drift;       // ||H(k) - H(0)||_F
  std::vector<double> moved;       // max_r ||w_r(k) - w_r(0)||
  std::vector<double> pl_ratios;   // ||grad L||^2 / L

  double limit_distance = 0;       // ||H(0) - H^inf||_F
  double flips = 0;                // share of pairs (r, i) active at one of W(0), W(last) only
  theory::Prediction flip_bound;   // of Lemma 3.2, for the radius that was moved
  double distance = 0;             // ||W(last) - W(0)||_F
  double kernel_distance = 0;      // sqrt(r_0^T (H^inf)^-1 r_0): ||W - W(0)||_F when H stays at H^inf
  std::vector<double> limit_path;  // ||(I - eta H^inf)^k r_0||^2 at every step
};

/// Inputs uniform on the sphere (n, d) and targets N(0, 1) (n).
struct SphereProblem {
  Tensor inputs, targets;
};
SphereProblem draw_sphere_problem(int64_t examples, int64_t dimension, at::Generator& generator);

/// `steps` steps of size `relative_step`/lambda_max(H^inf) from a start drawn with `generator`: w_r ~ N(0,
/// I), then a_r = +-1. Throws ContractError for tensors that wide_setting() does not take.
WideRun descend_wide_network(const SphereProblem& problem, int64_t width, double relative_step, int64_t steps,
                             double delta, at::Generator& generator);

/// Of runs on one problem at two or more widths, in ascending order of width.
std::vector<Claim> wide_networks_claims(const std::vector<WideRun>& runs);

}  // namespace plumb
