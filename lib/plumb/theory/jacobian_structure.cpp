#include "plumb/theory/jacobian_structure.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/analysis/exact_matrix.hpp"
#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

bool double_matrix(const Tensor& a) {
  return a.defined() && a.dim() == 2 && a.scalar_type() == torch::kDouble;
}

void expects_layer(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  expects(double_matrix(inputs) && double_matrix(slopes) && inputs.size(0) == slopes.size(0) &&
              output_weights.dim() == 1 && output_weights.scalar_type() == torch::kDouble &&
              output_weights.size(0) == slopes.size(1),
          "hidden layer: inputs (n, d), slopes (n, m) and output weights (m) in float64 are expected");
}

/// min_i sum_r v_r^2 sigma'(w_r.x_i)^2.
double least_activity(const Tensor& slopes, const Tensor& output_weights) {
  return (slopes * output_weights).square().sum(1).min().item<double>();
}

/// min_i max_r |sigma'(w_r.x_i)| over units that reach the output. No products: they might underflow.
double least_slope(const Tensor& slopes, const Tensor& output_weights) {
  return std::get<0>((slopes.abs() * output_weights.ne(0)).max(1)).min().item<double>();
}

std::vector<Assumption> generic_slopes(const NoisyLayer& layer) {
  return {requires_positive("slopes carry multiplicative noise with a density: its spread > 0",
                            layer.noise_spread),
          requires_positive("no unit is switched off: |negative slope| > 0", std::abs(layer.negative_slope)),
          requires_positive("every unit reaches the output: min |v_r| > 0", layer.smallest_output_weight)};
}

}  // namespace

Tensor rowwise_kronecker(const Tensor& a, const Tensor& b) {
  expects(double_matrix(a) && double_matrix(b) && a.size(0) == b.size(0),
          "rowwise Kronecker product: two float64 matrices of as many rows are expected");
  return (a.unsqueeze(2) * b.unsqueeze(1)).reshape({a.size(0), a.size(1) * b.size(1)});
}

Bounds bounds_of(const RankReport& rank) {
  return {static_cast<double>(rank.at_least), static_cast<double>(rank.at_most)};
}

Tensor hidden_layer_jacobian(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  expects_layer(inputs, slopes, output_weights);
  return rowwise_kronecker(slopes * output_weights, inputs);
}

int64_t exact_hidden_layer_rank(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  expects_layer(inputs, slopes, output_weights);
  // Output weights scale columns, which changes the rank only where they are 0.
  return ExactMatrix(slopes * output_weights.ne(0)).rowwise_kronecker(ExactMatrix(inputs)).rank();
}

Prediction noisy_layer_rank(const NoisyLayer& layer) {
  Prediction prediction =
      predicted("rank J", Relation::equal, static_cast<double>(std::min(layer.n, layer.d0 * layer.d1)),
                "Soudry, Carmon 2016; Allman, Matias, Rhodes 2009, Lemma 13");
  prediction.relative_tolerance = 0;
  prediction.assumptions = generic_slopes(layer);
  return prediction;
}

Prediction no_bad_local_minima(const NoisyLayer& last_layers, double tolerance) {
  Prediction prediction = predicted("mean squared error at a differentiable local minimum", Relation::at_most,
                                    0, "Soudry, Carmon 2016");
  prediction.absolute_tolerance = tolerance;
  prediction.assumptions = generic_slopes(last_layers);
  prediction.assumptions.push_back(requires_at_most(
      "the last two layers are wide enough: n <= d_{L-2} d_{L-1}", static_cast<double>(last_layers.n),
      static_cast<double>(last_layers.d0 * last_layers.d1)));
  return prediction;
}

Tensor linear_layer_jacobian(const Tensor& inputs, const Tensor& output_weights) {
  expects(double_matrix(inputs) && double_matrix(output_weights),
          "linear hidden layer: inputs (n, d) and output weights (c, m) in float64 are expected");
  const int64_t n = inputs.size(0);
  const int64_t c = output_weights.size(0);
  // d f_k(x_i) / d W_rj = V_kr x_ij
  return (output_weights.reshape({1, c, -1, 1}) * inputs.reshape({n, 1, 1, -1}))
      .reshape({n * c, output_weights.size(1) * inputs.size(1)});
}

Prediction linear_layer_rank(const Tensor& inputs, const Tensor& output_weights) {
  const Bounds x = bounds_of(rank_of_matrix(inputs)), v = bounds_of(rank_of_matrix(output_weights));
  const double most = x.upper * v.upper;
  Prediction prediction =
      predicted("rank J", Relation::equal, most, "slides; Horn, Johnson 1991, Thm 4.2.15");
  prediction.relative_tolerance = 0;
  const Bounds product{x.lower * v.lower, most};
  if (product.lower < product.upper)
    prediction.assumptions = {requires_at_least("rank V rank X is resolved", product, most)};
  return prediction;
}

double hidden_layer_lambda_bound(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  expects_layer(inputs, slopes, output_weights);
  const Tensor eigenvalues = at::linalg_eigvalsh(at::mm(inputs, inputs.t()));
  return std::max(0.0, eigenvalues[0].item<double>()) * least_activity(slopes, output_weights);
}

Prediction hidden_layer_lambda_min(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  Prediction prediction = predicted("lambda_min(J J^T)", Relation::at_least,
                                    hidden_layer_lambda_bound(inputs, slopes, output_weights),
                                    "slides; Schur: Horn, Johnson 1991, Thm 5.3.4");
  // Both sides are eigenvalues of matrices no larger than this trace, and off by rounding of that size.
  const double trace = hidden_layer_jacobian(inputs, slopes, output_weights).square().sum().item<double>();
  prediction.absolute_tolerance = static_cast<double>(inputs.size(0)) * std::ldexp(1, -52) * trace;
  return prediction;
}

Prediction hidden_layer_full_rank(const Tensor& inputs, const Tensor& slopes, const Tensor& output_weights) {
  expects_layer(inputs, slopes, output_weights);
  const auto n = static_cast<double>(inputs.size(0));
  Prediction prediction = predicted("rank J", Relation::equal, n, "slides; Schur's product theorem");
  prediction.relative_tolerance = 0;
  prediction.assumptions = {
      requires_at_least("inputs are independent: rank X = n", bounds_of(rank_of_matrix(inputs)), n),
      requires_positive("every example is active: min_i max_r |sigma'| > 0",
                        least_slope(slopes, output_weights))};
  return prediction;
}

}  // namespace plumb::theory
