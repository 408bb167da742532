#include "plumb/theory/wide_networks.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/theory/infinite_width.hpp"

namespace plumb::theory {
namespace {

const double root_two_pi = std::sqrt(2 * M_PI);

double examples(const WideSetting& setting) { return static_cast<double>(setting.n); }

double units(const WideSetting& setting) { return static_cast<double>(setting.width); }

Assumption unit_inputs(const WideSetting& setting) {
  return requires_at_most("inputs have norm 1: max | ||x_i|| - 1 | <= 1e-6", setting.norm_error, 1e-6);
}

/// Equality of cosines is judged with an allowance of 1e-12 for the rounding of inner products.
Assumption no_parallel_inputs(const WideSetting& setting) {
  return requires_at_most("no two inputs are parallel: max |cos| < 1", setting.largest_cosine, 1 - 1e-12);
}

/// Those of Thm 4.1, the data's first.
std::vector<Assumption> theorem_assumptions(const WideSetting& setting) {
  return {unit_inputs(setting),
          no_parallel_inputs(setting),
          requires_at_most("targets are bounded: |y_i| <= C", setting.largest_target, setting.target_bound),
          requires_positive("the step is positive: eta > 0", setting.step),
          requires_at_most("the step is short: eta <= c lambda_0/n^2", setting.step, theorem_step(setting)),
          requires_at_least("the width suffices: m >= C n^6/(lambda_0^4 delta^3)", units(setting),
                            theorem_width(setting))};
}

double union_logarithm(const WideSetting& setting) {
  return std::log(examples(setting) * (examples(setting) + 1) / setting.delta);
}

}  // namespace

WideSetting wide_setting(const Tensor& inputs, const Tensor& targets) {
  expects(inputs.dim() == 2 && inputs.size(0) > 0 && targets.dim() == 1 &&
              targets.size(0) == inputs.size(0) && inputs.scalar_type() == torch::kDouble &&
              targets.scalar_type() == torch::kDouble,
          "wide network: inputs (n, d) and targets (n) in float64 are expected");
  WideSetting setting;
  setting.n = inputs.size(0);
  const Tensor norms = inputs.norm(2, 1, true);
  const Tensor limit = first_layer_kernel({Nonlinearity::Kind::relu}, inputs);
  setting.lambda0 = std::max(0.0, at::linalg_eigvalsh(limit)[0].item<double>());
  const double largest = at::linalg_svdvals(inputs)[0].item<double>();
  setting.gram_norm = largest * largest;
  Tensor cosines = at::mm(inputs / norms, (inputs / norms).t()).abs();
  cosines.diagonal().zero_();
  setting.largest_cosine = cosines.max().item<double>();
  setting.norm_error = (norms - 1).abs().max().item<double>();
  setting.largest_target = targets.abs().max().item<double>();
  return setting;
}

double theorem_width(const WideSetting& setting) {
  return setting.width_constant * std::pow(examples(setting), 6) /
         (std::pow(setting.lambda0, 4) * std::pow(setting.delta, 3));
}

double proof_width(const WideSetting& setting) {
  const double root = 64 * std::pow(examples(setting), 2.5) * setting.initial_residual /
                      (root_two_pi * setting.delta * setting.lambda0 * setting.lambda0);
  return root * root;
}

double hoeffding_width(const WideSetting& setting) {
  const double ratio = examples(setting) / setting.lambda0;
  return 8 * ratio * ratio * union_logarithm(setting);
}

double chernoff_width(const WideSetting& setting) {
  return 32 * setting.gram_norm * std::log(examples(setting) / setting.delta) / setting.lambda0;
}

double theorem_step(const WideSetting& setting) {
  return setting.step_constant * setting.lambda0 / (examples(setting) * examples(setting));
}

Prediction limit_kernel_definite(const WideSetting& setting) {
  // Where |cos| <= 1 - 1e-12 the angle is known to 2^-52/sin, so that the n^2 entries are off by 3e-11 each.
  const double rounding = 3e-11 * examples(setting);
  Prediction prediction =
      predicted("lambda_min(H^inf)", Relation::at_least, rounding, "Du, Zhai, Poczos, Singh 2019, Thm 3.1");
  prediction.assumptions = {no_parallel_inputs(setting)};
  return prediction;
}

Prediction initial_kernel_distance(const WideSetting& setting) {
  Prediction prediction =
      predicted("||H(0) - H^inf||_F", Relation::at_most,
                examples(setting) * std::sqrt(union_logarithm(setting) / (2 * units(setting))),
                "Du, Zhai, Poczos, Singh 2019, Lemma 3.1 (Hoeffding)");
  prediction.assumptions = {unit_inputs(setting)};
  return prediction;
}

Prediction initial_kernel_definite(const WideSetting& setting) {
  Prediction prediction = predicted("lambda_min(H(0))", Relation::at_least, 0.75 * setting.lambda0,
                                    "Du, Zhai, Poczos, Singh 2019, Lemma 3.1; Tropp 2012, Cor. 5.2");
  prediction.assumptions = {
      unit_inputs(setting), no_parallel_inputs(setting),
      requires_at_least("the width suffices for H(0): m >= min(8 n^2 log(n(n+1)/delta)/lambda_0^2, "
                        "32 ||X X^T|| log(n/delta)/lambda_0)",
                        units(setting), std::min(hoeffding_width(setting), chernoff_width(setting)))};
  return prediction;
}

PredictedSeries kernel_stays_definite(const WideSetting& setting, size_t places) {
  PredictedSeries series = predicted_series("lambda_min(H(k))", Relation::at_least,
                                            "Du, Zhai, Poczos, Singh 2019, Lemma 3.2 and Thm 4.1");
  series.values.assign(places, setting.lambda0 / 2);
  series.assumptions = theorem_assumptions(setting);
  return series;
}

PredictedSeries squared_residual(const WideSetting& setting, const std::vector<int64_t>& steps) {
  PredictedSeries series =
      predicted_series("||u(k) - y||^2", Relation::at_most, "Du, Zhai, Poczos, Singh 2019, Thm 4.1");
  series.assumptions = theorem_assumptions(setting);
  const double factor = 1 - setting.step * setting.lambda0 / 2;
  for (const int64_t k : steps)
    series.values.push_back(std::pow(factor, static_cast<double>(k)) * setting.initial_residual *
                            setting.initial_residual);
  return series;
}

double movement_radius(const WideSetting& setting) {
  return 4 * std::sqrt(examples(setting)) * setting.initial_residual /
         (std::sqrt(units(setting)) * setting.lambda0);
}

PredictedSeries weight_movement(const WideSetting& setting, size_t places) {
  PredictedSeries series = predicted_series("max_r ||w_r(k) - w_r(0)||", Relation::at_most,
                                            "Du, Zhai, Poczos, Singh 2019, Cor. 4.1");
  series.values.assign(places, movement_radius(setting));
  series.assumptions = theorem_assumptions(setting);
  return series;
}

double stable_radius(const WideSetting& setting) {
  return root_two_pi * setting.delta * setting.lambda0 / (16 * examples(setting) * examples(setting));
}

Prediction kernel_drift(const WideSetting& setting, double radius, double moved) {
  Prediction prediction =
      predicted("||H - H(0)||_F", Relation::at_most,
                4 * examples(setting) * examples(setting) * radius / (root_two_pi * setting.delta),
                "Du, Zhai, Poczos, Singh 2019, Lemma 3.2");
  prediction.assumptions = {unit_inputs(setting),
                            requires_at_most("no weight has moved further than R", moved, radius)};
  return prediction;
}

double near_boundary(const Tensor& first_weights, const Tensor& inputs, double radius) {
  expects(first_weights.dim() == 2 && inputs.dim() == 2 && first_weights.size(1) == inputs.size(1),
          "near boundary: weights (m, d) and inputs (n, d) are expected");
  const Tensor distance = at::mm(first_weights, inputs.t()).abs() / inputs.norm(2, 1);
  return (distance <= radius).to(torch::kDouble).mean().item<double>();
}

double expected_near_boundary(double radius) { return std::erf(radius / std::sqrt(2)); }

Prediction sign_flips(const Tensor& first_weights, const Tensor& inputs, double radius, double moved) {
  Prediction prediction =
      predicted("share of flipped signs", Relation::at_most, near_boundary(first_weights, inputs, radius),
                "Du, Zhai, Poczos, Singh 2019, Lemma 3.2");
  prediction.assumptions = {requires_at_most("no weight has moved further than R", moved, radius)};
  return prediction;
}

}  // namespace plumb::theory
