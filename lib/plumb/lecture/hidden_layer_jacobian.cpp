#include "plumb/lecture/hidden_layer_jacobian.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/analysis/rank.hpp"
#include "plumb/autograd/functional.hpp"
#include "plumb/theory/jacobian_structure.hpp"

namespace plumb {
namespace {

struct HiddenLayerJacobianOptions {
  int64_t examples = 40;
  int64_t dimension = 60;
  int64_t width = 30;

  void fields(Fields& f) {
    f.field("examples", examples, "inputs", positive);
    f.field("dimension", dimension, "of the inputs, no less than there are and than the width", positive);
    f.field("width", width, "hidden units", positive);
  }
};

/// sigma'(z), elementwise, by autograd.
Tensor activation_slopes(const Tensor& z, Activation activation, double negative_slope) {
  const Tensor point = z.detach().clone().requires_grad_(true);
  return torch::autograd::grad({activate(point, activation, negative_slope).sum()}, {point})[0];
}

/// One random layer and its inputs.
struct RandomLayer {
  Tensor inputs, weights, output_weights;

  RandomLayer(const HiddenLayerJacobianOptions& options, at::Generator& generator) {
    const at::TensorOptions doubles(at::kDouble);
    inputs = at::randn({options.examples, options.dimension}, generator, doubles);
    weights = at::randn({options.width, options.dimension}, generator, doubles);
    output_weights = at::randn({options.width}, generator, doubles);
  }
  HiddenLayerMeasurement measure(const std::string& place, Activation activation, double slope) const {
    return measure_hidden_layer(place, activation, slope, inputs, weights, output_weights);
  }
};

HiddenLayerRuns hidden_layer_runs(const RandomLayer& layer) {
  HiddenLayerRuns runs;
  runs.generic = {layer.measure("linear", Activation::linear, 0),
                  layer.measure("leaky ReLU, slope 0.1", Activation::leaky_relu, 0.1),
                  layer.measure("ReLU", Activation::relu, 0), layer.measure("tanh", Activation::tanh, 0),
                  layer.measure("GELU", Activation::gelu, 0)};
  RandomLayer dependent = layer;
  dependent.inputs = layer.inputs.clone();
  dependent.inputs[0] = dependent.inputs[1];
  runs.dependent = dependent.measure("two equal inputs", Activation::leaky_relu, 0.1);
  RandomLayer inactive = layer;
  inactive.inputs = layer.inputs.clone();
  inactive.inputs[0] = -at::linalg_pinv(layer.weights).sum(1);  // w_r.x = -1 for every r
  runs.inactive = inactive.measure("an input that no unit sees", Activation::relu, 0);
  return runs;
}

Figure schur_figure(const RandomLayer& layer) {
  Figure figure;
  figure.name = "hidden_layer_jacobian";
  figure.title = "The smallest eigenvalue of J J^T and its bound over the slope of leaky ReLU";
  figure.caption =
      "One random layer, its slope below zero changed from 0 (ReLU) to 1 (linear), where the bound is an "
      "equality.";
  figure.x = {"negative slope"};
  figure.y = {"smallest eigenvalue", true};
  Curve measured{"lambda_min(J J^T)", {}, {}, {}};
  Curve bound{"lambda_min(X X^T) min_i sum_r v_r^2 sigma'^2", {}, {}, {}};
  for (int i = 0; i <= 10; ++i) {
    const double slope = 0.1 * i;
    const HiddenLayerMeasurement at = layer.measure("", Activation::leaky_relu, slope);
    measured.x.push_back(slope);
    measured.y.push_back(at.measured_lambda_min);
    bound.x.push_back(slope);
    bound.y.push_back(at.lambda_min.value);
  }
  figure.curves = {measured, bound};
  return figure;
}

class HiddenLayerJacobian final : public System {
 public:
  explicit HiddenLayerJacobian(const HiddenLayerJacobianOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S6", "One hidden layer of any activation",
        "The Jacobian of h(x) = v^T sigma(W x) with respect to W is built of the blocks v_r "
        "diag(sigma'(w_r.x_i)) X; "
        "its rank is n when rank X = n.",
        "J J^T = sum_r v_r^2 D_r X X^T D_r, so that lambda_min(J J^T) >= lambda_min(X X^T) min_i sum_r v_r^2 "
        "sigma'(w_r.x_i)^2 by Schur's product theorem. For rank n every example must also be active on some "
        "unit.",
        "ReLU may leave an example without an active unit; leaky activations cannot."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=200", "dimension=300", "width=200"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("layer");
    const RandomLayer layer(options_, generator);
    Evidence evidence;
    evidence.setting =
        fmt::format("n {}  d {}  width {}", options_.examples, options_.dimension, options_.width);
    const HiddenLayerRuns runs = hidden_layer_runs(layer);
    evidence.claims = hidden_layer_claims(runs);
    evidence.figures = {schur_figure(layer)};
    NamedTable table{"Layers", {{"layer", "rank J", "lambda_min(J J^T)", "bound"}, {}, 1}};
    std::vector<HiddenLayerMeasurement> all = runs.generic;
    all.push_back(runs.dependent);
    all.push_back(runs.inactive);
    for (const HiddenLayerMeasurement& one : all)
      table.table.rows.push_back({one.place, one.measured_rank.text(),
                                  fmt::format("{:.3g}", one.measured_lambda_min),
                                  fmt::format("{:.3g}", one.lambda_min.value)});
    evidence.tables = {table};
    return evidence;
  }

 private:
  HiddenLayerJacobianOptions options_;
};

std::unique_ptr<System> make_hidden_layer_jacobian(const HiddenLayerJacobianOptions& options) {
  expects(
      options.examples >= 2 && options.dimension >= std::max(options.examples, options.width),
      "hidden_layer_jacobian: {} examples and width {} in dimension {}; two examples or more and at least as "
      "many dimensions as either are expected",
      options.examples, options.width, options.dimension);
  return std::make_unique<HiddenLayerJacobian>(options);
}

}  // namespace

HiddenLayerMeasurement measure_hidden_layer(std::string place, Activation activation, double negative_slope,
                                            const Tensor& inputs, const Tensor& weights,
                                            const Tensor& output_weights) {
  HiddenLayerMeasurement layer;
  layer.place = std::move(place);
  layer.n = inputs.size(0);
  const Tensor jacobian = autograd::functional::jacobian(
                              [&](const Tensor& w) {
                                const Tensor hidden =
                                    activate(at::mm(inputs, w.t()), activation, negative_slope);
                                return at::mv(hidden, output_weights);
                              },
                              weights)
                              .reshape({layer.n, -1});
  const Tensor slopes = activation_slopes(at::mm(inputs, weights.t()), activation, negative_slope);
  layer.lambda_min = theory::hidden_layer_lambda_min(inputs, slopes, output_weights);
  layer.full_rank = theory::hidden_layer_full_rank(inputs, slopes, output_weights);
  const Tensor blocks = theory::hidden_layer_jacobian(inputs, slopes, output_weights);
  layer.block_error = ((jacobian - blocks).abs().max() / jacobian.abs().max()).item<double>();
  const RankReport report = rank_of_matrix(jacobian, {.exact_work = 0});
  layer.measured_rank = theory::bounds_of(report);
  // Entries of J are rounded, so exact arithmetic is done on what they are products of.
  if (!report.resolved)
    layer.measured_rank.upper =
        static_cast<double>(theory::exact_hidden_layer_rank(inputs, slopes, output_weights));
  layer.measured_lambda_min = report.sigma_min * report.sigma_min;
  return layer;
}

std::vector<Claim> hidden_layer_claims(const HiddenLayerRuns& runs) {
  using theory::Relation;
  std::vector<std::string> places;
  std::vector<double> block, smallest;
  theory::PredictedSeries zero = theory::predicted_series("|J - blocks| / |J|", Relation::equal, "slides");
  zero.absolute_tolerance = 1e-12;
  const theory::Prediction& first = runs.generic.front().lambda_min;
  theory::PredictedSeries schur = theory::predicted_series(first.quantity, Relation::at_least, first.source);
  for (const HiddenLayerMeasurement& layer : runs.generic) {
    places.push_back(layer.place);
    block.push_back(layer.block_error);
    zero.values.push_back(0);
    smallest.push_back(layer.measured_lambda_min);
    schur.values.push_back(layer.lambda_min.value);
    schur.absolute_tolerance = std::max(schur.absolute_tolerance, layer.lambda_min.absolute_tolerance);
  }
  theory::Prediction equality = first;
  equality.relation = Relation::equal;
  std::vector<Claim> claims{
      judged("the Jacobian that autograd finds has the blocks v_r diag(sigma') X", zero, block, places),
      judged("the smallest eigenvalue of J J^T is no less than Schur's bound", schur, smallest, places),
      judged("for a linear layer the bound is an equality", equality,
             {runs.generic.front().measured_lambda_min, 0, runs.generic.front().place})};
  for (const HiddenLayerMeasurement& layer : runs.generic)
    claims.push_back(judged("rank J = n for independent inputs (" + layer.place + ")", layer.full_rank,
                            theory::Measured::within(layer.measured_rank)));
  claims.push_back(judged("with two equal inputs the theorem says nothing, and the rank is less",
                          runs.dependent.full_rank, theory::Measured::within(runs.dependent.measured_rank),
                          theory::Ruling::hypotheses_not_met));
  claims.push_back(
      judged("that rank X = n alone makes rank J = n for ReLU would be too much",
             theory::predicted("rank J", Relation::equal, static_cast<double>(runs.inactive.n), "slides"),
             theory::Measured::within(runs.inactive.measured_rank), theory::Ruling::fails));
  return claims;
}

PLUMB_REGISTER(Systems, hidden_layer_jacobian, HiddenLayerJacobianOptions, make_hidden_layer_jacobian,
               "S6: block form, rank and smallest eigenvalue of one hidden layer's Jacobian")

}  // namespace plumb
