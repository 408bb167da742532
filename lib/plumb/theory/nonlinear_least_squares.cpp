#include "plumb/theory/nonlinear_least_squares.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

constexpr const char* short_path_source = "Oymak, Soltanolkotabi 2019, sec. 2";
constexpr const char* pl_star_source = "Liu, Zhu, Belkin 2022";

/// `measured` satisfies what is demanded of it when it misses by no more than the rounding of its
/// computation.
constexpr double rounding_of_norms = 1e-9;

std::vector<Assumption> jacobian_bounds(const LocalJacobian& local) {
  return {requires_positive("the Jacobian has full rank: alpha > 0", local.alpha),
          requires_at_least("sigma_min(J) >= alpha along the run", local.observed_smallest,
                            local.alpha * (1 - rounding_of_norms)),
          requires_at_most("||J|| <= beta along the run", local.observed_norm,
                           local.beta * (1 + rounding_of_norms))};
}

std::vector<Assumption> short_path_assumptions(const LocalJacobian& local) {
  std::vector<Assumption> assumptions = jacobian_bounds(local);
  assumptions.push_back(requires_positive("the step is positive: eta > 0", local.step));
  assumptions.push_back(
      requires_at_most("the step is short: eta <= 1/(2 beta^2) min(1, alpha^2/(L ||f(w_0) - y||))",
                       local.step, short_path_step(local)));
  return assumptions;
}

std::vector<Assumption> pl_star_assumptions(const PlStar& problem) {
  return {requires_positive("PL* holds: mu > 0", problem.mu),
          requires_at_least("lambda_min(J J^T) >= mu along the run", problem.observed_smallest,
                            problem.mu * (1 - rounding_of_norms)),
          requires_positive("the step is positive: eta > 0", problem.step),
          requires_at_most("the step is short: eta <= 1/(L_F^2 + beta_F ||F(w_0) - y||)", problem.step,
                           pl_star_step(problem))};
}

Prediction at_most_with(const std::string& quantity, double value, const char* source,
                        std::vector<Assumption> assumptions) {
  Prediction prediction = predicted(quantity, Relation::at_most, value, source);
  prediction.assumptions = std::move(assumptions);
  return prediction;
}

}  // namespace

double short_path_step(const LocalJacobian& local) {
  const double curved = local.lipschitz * local.initial_residual;
  const double share = curved > 0 ? std::min(1.0, local.alpha * local.alpha / curved) : 1.0;
  return share / (2 * local.beta * local.beta);
}

double short_path_radius(const LocalJacobian& local) { return 4 * local.initial_residual / local.alpha; }

PredictedSeries short_path_loss(const LocalJacobian& local, const std::vector<int64_t>& steps) {
  PredictedSeries series = predicted_series("||f(w_t) - y||^2", Relation::at_most, short_path_source);
  series.assumptions = short_path_assumptions(local);
  const double factor = 1 - local.step * local.alpha * local.alpha / 2;
  for (const int64_t t : steps)
    series.values.push_back(std::pow(factor, static_cast<double>(t)) * local.initial_residual *
                            local.initial_residual);
  return series;
}

PredictedSeries short_path_trade(const LocalJacobian& local, size_t places) {
  PredictedSeries series =
      predicted_series("alpha/4 ||w_t - w_0|| + ||f(w_t) - y||", Relation::at_most, short_path_source);
  series.values.assign(places, local.initial_residual);
  series.assumptions = short_path_assumptions(local);
  return series;
}

Prediction short_path_length(const LocalJacobian& local) {
  return at_most_with("sum_t ||w_{t+1} - w_t||", short_path_radius(local), short_path_source,
                      short_path_assumptions(local));
}

Prediction distance_to_solutions(const LocalJacobian& local) {
  Prediction prediction =
      predicted("||w* - w_0||", Relation::at_least, local.initial_residual / local.beta, short_path_source);
  prediction.assumptions = {requires_at_most("||J|| <= beta along the run", local.observed_norm,
                                             local.beta * (1 + rounding_of_norms))};
  return prediction;
}

Prediction near_nearest_solution(const LocalJacobian& local, double nearest) {
  return at_most_with("||w_end - w_0||", 4 * local.beta / local.alpha * nearest, short_path_source,
                      short_path_assumptions(local));
}

double least_displacement(const Tensor& gram, const Tensor& residual) {
  expects(gram.dim() == 2 && gram.size(0) == gram.size(1) && residual.dim() == 1 &&
              residual.size(0) == gram.size(0) && gram.scalar_type() == torch::kDouble &&
              residual.scalar_type() == torch::kDouble,
          "least displacement: a kernel (n, n) and a residual (n) in float64 are expected");
  const auto [values, vectors] = at::linalg_eigh((gram + gram.t()) / 2);
  const double floor =
      static_cast<double>(gram.size(0)) * std::ldexp(1, -52) * values[gram.size(0) - 1].item<double>();
  const Tensor squares = at::mv(vectors.t(), residual).square() / values;
  return std::sqrt(torch::where(values > floor, squares, torch::zeros_like(squares)).sum().item<double>());
}

Prediction straightness(double path_length) {
  return at_most_with("||w_T - w_0||", path_length, "triangle inequality", {});
}

HiddenLayerBounds hidden_layer_bounds(const Tensor& inputs, int64_t width, double largest_output,
                                      double slope, double curvature) {
  expects(inputs.dim() == 2 && inputs.scalar_type() == torch::kDouble && width >= 1,
          "hidden layer: inputs (n, d) in float64 and a width of at least 1 are expected");
  const double norm = largest_output * at::linalg_svdvals(inputs)[0].item<double>();
  const double longest = inputs.norm(2, 1).max().item<double>();
  return {slope * norm, curvature * norm * longest / std::sqrt(static_cast<double>(width))};
}

double pl_star_radius(const PlStar& problem) {
  return 2 * problem.lipschitz * problem.initial_residual / problem.mu;
}

double pl_star_step(const PlStar& problem) {
  return 1 / (problem.lipschitz * problem.lipschitz + problem.smoothness * problem.initial_residual);
}

PredictedSeries pl_star_loss(const PlStar& problem, const std::vector<int64_t>& steps) {
  PredictedSeries series = predicted_series("1/2 ||F(w_t) - y||^2", Relation::at_most, pl_star_source);
  series.assumptions = pl_star_assumptions(problem);
  const double start = problem.initial_residual * problem.initial_residual / 2;
  for (const int64_t t : steps)
    series.values.push_back(std::pow(1 - problem.step * problem.mu, static_cast<double>(t)) * start);
  return series;
}

Prediction pl_star_distance(const PlStar& problem) {
  return at_most_with("max_t ||w_t - w_0||", pl_star_radius(problem), pl_star_source,
                      pl_star_assumptions(problem));
}

Prediction pl_star_path(const PlStar& problem) {
  return at_most_with("sum_t ||w_{t+1} - w_t||", 2 * problem.initial_residual / std::sqrt(problem.mu),
                      "PL* and smoothness", pl_star_assumptions(problem));
}

double allowed_hessian_norm(const PlStar& problem, double lambda0, int64_t n) {
  return (lambda0 - problem.mu) /
         (2 * problem.lipschitz * std::sqrt(static_cast<double>(n)) * pl_star_radius(problem));
}

Prediction kernel_stays_conditioned(const PlStar& problem, double lambda0, int64_t n, double hessian_norm) {
  Prediction prediction =
      predicted("lambda_min(J J^T)", Relation::at_least, problem.mu, "Liu, Zhu, Belkin 2022");
  prediction.assumptions = {
      requires_positive("PL* holds: mu > 0", problem.mu),
      requires_at_most("the Hessian is small: ||H_F|| <= (lambda_0 - mu)/(2 L_F sqrt(n) R)", hessian_norm,
                       allowed_hessian_norm(problem, lambda0, n))};
  return prediction;
}

Prediction hidden_layer_hessian_norm(const Tensor& inputs, const Tensor& second_derivatives,
                                     const Tensor& output_weights) {
  expects(inputs.dim() == 2 && second_derivatives.dim() == 2 && output_weights.dim() == 1 &&
              inputs.size(0) == second_derivatives.size(0) &&
              second_derivatives.size(1) == output_weights.size(0),
          "hidden layer: inputs (n, d), second derivatives (n, m) and output weights (m) are expected");
  const auto width = static_cast<double>(output_weights.size(0));
  const Tensor largest = std::get<0>((second_derivatives * output_weights).abs().max(1));
  const double norm = (largest * inputs.square().sum(1)).max().item<double>() / std::sqrt(width);
  return predicted("max_i ||H_{F_i}||", Relation::equal, norm, "Liu, Zhu, Belkin 2022; block diagonal");
}

Prediction gaussian_conditioning(int64_t n, int64_t p) {
  expects(n >= 1 && p >= n, "Gaussian Jacobian of {} x {}: no fewer columns than rows are expected", n, p);
  const auto columns = static_cast<double>(p);
  return at_most_with("E log kappa(J J^T)", 2 * std::log(columns / static_cast<double>(p - n + 1)) + 5,
                      "Liu, Zhu, Belkin 2022; Chen, Dongarra 2005", {});
}

}  // namespace plumb::theory
