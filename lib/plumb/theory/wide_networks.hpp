/// Gradient descent on wide two-layer ReLU networks: the claims of Du, Zhai, Poczos and Singh (ICLR 2019)
/// with the numbers that decide their hypotheses.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/theory/prediction.hpp"

namespace plumb::theory {

/// f(x) = (1/sqrt m) sum_r a_r relu(w_r.x), w_r ~ N(0, I), a_r = +-1 fixed; descent on the w_r with
/// L = 1/2 ||u - y||^2, u = f on the n examples. H_ij = (1/m) x_i.x_j #{r active at both}.
struct WideSetting {
  int64_t n = 0;
  int64_t width = 0;            // m
  double step = 0;              // eta
  double delta = 0.1;           // the probability with which the theorem may fail
  double lambda0 = 0;           // lambda_min(H^inf)
  double gram_norm = 0;         // ||X X^T||
  double largest_cosine = 0;    // max |cos| between two inputs: 1 when two are parallel
  double norm_error = 0;        // max | ||x_i|| - 1 |
  double largest_target = 0;    // max |y_i|
  double target_bound = 1;      // C
  double initial_residual = 0;  // ||y - u(0)||
  /// What the theorem's Omega and O hide: m >= width_constant n^6/(lambda0^4 delta^3) and
  /// eta <= step_constant lambda0/n^2. The paper gives no numbers; 1 is the reader's usual reading.
  double width_constant = 1;
  double step_constant = 1;
};

/// The fields that follow from the data: n, lambda0, gram_norm, largest_cosine, norm_error, largest_target.
/// `inputs`: (n, d), `targets`: (n), float64. The others keep their defaults. Throws ContractError for other
/// shapes and dtypes.
WideSetting wide_setting(const Tensor& inputs, const Tensor& targets);

/// n^6/(lambda0^4 delta^3) times the constant: the width of Thm 4.1. Infinite where lambda0 is 0.
double theorem_width(const WideSetting& setting);

/// (64 n^(5/2) ||y - u(0)|| / (sqrt(2 pi) delta lambda0^2))^2: the width at which the proof's radii satisfy
/// R' <= R for the residual at hand; Thm 4.1 follows from it by ||y - u(0)||^2 = O(n/delta).
double proof_width(const WideSetting& setting);

/// 8 n^2 log(n (n + 1)/delta)/lambda0^2: enough for ||H(0) - H^inf||_F <= lambda0/4 by Hoeffding's inequality
/// for every entry (Lemma 3.1 with its constant worked out).
double hoeffding_width(const WideSetting& setting);

/// 32 ||X X^T|| log(n/delta)/lambda0: enough for lambda_min(H(0)) >= 3/4 lambda0 by the matrix Chernoff
/// inequality (Tropp 2012, Cor. 5.2) for H(0) = (1/m) sum_r D_r X X^T D_r. Linear in n where the other is
/// quadratic.
double chernoff_width(const WideSetting& setting);

/// c lambda0/n^2: the longest step of Thm 4.1.
double theorem_step(const WideSetting& setting);

/// lambda_min(H^inf) > 0, by more than the rounding of its entries, 3e-11 n, when no two inputs are parallel
/// (Thm 3.1).
Prediction limit_kernel_definite(const WideSetting& setting);

/// ||H(0) - H^inf||_F <= n sqrt(log(n (n + 1)/delta)/(2 m)) with probability 1 - delta, at every width:
/// Hoeffding for the entries, each the mean of m numbers between 0 and x_i.x_j.
Prediction initial_kernel_distance(const WideSetting& setting);

/// lambda_min(H(0)) >= 3/4 lambda0, for widths of at least the smaller of the two above (Lemma 3.1).
Prediction initial_kernel_definite(const WideSetting& setting);

/// lambda_min(H(k)) >= lambda0/2 at the places given (Lemma 3.2), under the hypotheses of Thm 4.1.
PredictedSeries kernel_stays_definite(const WideSetting& setting, size_t places);

/// ||u(k) - y||^2 <= (1 - eta lambda0/2)^k ||u(0) - y||^2 at the steps k (Thm 4.1). The kernel itself
/// contracts by (1 - eta lambda0)^2, so the rate is loose by a factor 4 even where nothing else is.
PredictedSeries squared_residual(const WideSetting& setting, const std::vector<int64_t>& steps);

/// R' = 4 sqrt(n) ||y - u(0)|| / (sqrt(m) lambda0), which bounds max_r ||w_r(k) - w_r(0)|| (Cor. 4.1).
double movement_radius(const WideSetting& setting);
PredictedSeries weight_movement(const WideSetting& setting, size_t places);

/// R = sqrt(2 pi) delta lambda0/(16 n^2): while no w_r is further from its start, ||H - H(0)||_F <= lambda0/4
/// with probability 1 - delta (Lemma 3.2 with its constant worked out).
double stable_radius(const WideSetting& setting);

/// ||H - H(0)||_F <= 4 n^2 R/(sqrt(2 pi) delta) with probability 1 - delta, for all weights within `radius`
/// of their start at once (proof of Lemma 3.2, by Markov's inequality). `moved`: the largest ||w_r - w_r(0)||
/// seen. R must be chosen before the run for the probability to be one.
Prediction kernel_drift(const WideSetting& setting, double radius, double moved);

/// The share of pairs (r, i) with |w_r(0).x_i| <= R ||x_i||: the only ones in which relu can have changed its
/// side while no w_r moved further than R. `first_weights`: (m, d), `inputs`: (n, d), float64.
double near_boundary(const Tensor& first_weights, const Tensor& inputs, double radius);

/// erf(R/sqrt 2), the expectation of that share for w_r ~ N(0, I); at most 2 R/sqrt(2 pi).
double expected_near_boundary(double radius);

/// The share of flipped signs <= near_boundary(first_weights, inputs, radius), provided that `moved`, the
/// largest
/// ||w_r - w_r(0)|| seen, is at most `radius` (Lemma 3.2). No probability is involved.
Prediction sign_flips(const Tensor& first_weights, const Tensor& inputs, double radius, double moved);

}  // namespace plumb::theory
