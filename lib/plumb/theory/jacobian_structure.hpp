/// What the layers of a network make of its Jacobian: rank and smallest eigenvalue from inputs, weights and
/// slopes.
#pragma once

#include <cstdint>

#include "plumb/analysis/rank.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/theory/prediction.hpp"

namespace plumb::theory {

/// Row by row Kronecker products, (n, p) and (n, q) -> (n, p q): row i is a_i (x) b_i, with entry (j, k) at j
/// q + k. The transpose of the columnwise (Khatri-Rao) product of the literature. Float64.
Tensor rowwise_kronecker(const Tensor& a, const Tensor& b);

/// at_least and at_most of a rank, as numbers to judge.
Bounds bounds_of(const RankReport& rank);

/// f(x_i) = sum_r v_r sigma_i,r(w_r.x_i), m units: its Jacobian with respect to W (m, d), flattened by rows,
/// is (n, m d) = rows (v o sigma'_i) (x) x_i. `slopes`: (n, m) of sigma'(w_r.x_i), with any noise multiplied
/// in; `output_weights`: (m). Float64. Throws ContractError for shapes that do not fit.
Tensor hidden_layer_jacobian(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights);

/// Its rank, computed without rounding from these inputs and slopes as they are (ExactMatrix): what dead
/// units, equal inputs and repeated patterns of slopes leave of it shows here, where products rounded to
/// float64 mostly have full rank. n min(n, m d) m d / 2 multiplications.
int64_t exact_hidden_layer_rank(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights);

/// A hidden layer of leaky ReLU units with multiplicative noise: slopes eps_ir (1 or s).
struct NoisyLayer {
  int64_t n = 0;   // examples
  int64_t d0 = 0;  // features
  int64_t d1 = 0;  // units
  double negative_slope = 0;
  /// The least spread of the noise among units and examples: max - min of the density's support. 0: no noise.
  double noise_spread = 0;
  double smallest_output_weight = 1;  // min_r |v_r|
};

/// rank J = min(n, d0 d1) for almost every (X, eps) (Soudry and Carmon 2016, the proof for one hidden layer,
/// by Allman, Matias, Rhodes 2009, Lemma 13: generic Khatri-Rao products have full rank). The noise is a
/// hypothesis: without it the slopes take few values and the statement is false, for instance for units that
/// all point one way.
Prediction noisy_layer_rank(const NoisyLayer& layer);

/// With L layers of weights the same of the last two: every differentiable local minimum with respect to them
/// has error 0 if n <= d_{L-2} d_{L-1} (Soudry and Carmon 2016). The predicted number is the mean
/// squared error at such a minimum, 0 up to `tolerance`.
Prediction no_bad_local_minima(const NoisyLayer& last_layers, double tolerance);

/// A linear hidden layer f(x) = V W x, V (c, m): with respect to W, (n c, m d) rows by example and then
/// output, J = X (x) V with the columns ordered (m, d). `inputs`: (n, d). Float64.
Tensor linear_layer_jacobian(const Tensor& inputs, const Tensor& output_weights);

/// rank J = rank V rank X, exactly (slides; the rank of a Kronecker product is the product). That the
/// ranks of X and V are resolved (rank_of_matrix) is a hypothesis where they are not, as for products of
/// rounded factors.
Prediction linear_layer_rank(const Tensor& inputs, const Tensor& output_weights);

/// The bound lambda_min(J J^T) >= lambda_min(X X^T) min_i sum_r v_r^2 sigma'(w_r.x_i)^2 for one hidden layer
/// of any activation (slides; by Schur's product theorem: J J^T is X X^T times, entry by entry, the Gram
/// matrix of the rows v o sigma'_i, whose diagonal these sums are; Horn and Johnson 1991, Thm 5.3.4).
/// Equality for a linear activation. Useless, but true, where rank X < n.
double hidden_layer_lambda_bound(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights);
Prediction hidden_layer_lambda_min(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights);

/// rank J = n for one hidden layer of any activation, given that rank X = n and every example is active on
/// some unit: min_i max_r |sigma'(w_r.x_i)| over v_r != 0 is positive, however small (slides, with the second
/// hypothesis, which leaky activations meet and ReLU may not).
Prediction hidden_layer_full_rank(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights);

}  // namespace plumb::theory
