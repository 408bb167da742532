#include "plumb/lecture/linear_hidden_layer.hpp"

#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/rank.hpp"
#include "plumb/autograd/functional.hpp"
#include "plumb/theory/jacobian_structure.hpp"

namespace plumb {
namespace {

struct LinearHiddenLayerOptions {
  int64_t examples = 24;
  int64_t dimension = 16;
  int64_t width = 12;
  int64_t outputs = 4;

  void fields(Fields& f) {
    f.field("examples", examples, "inputs", positive);
    f.field("dimension", dimension, "of the inputs", positive);
    f.field("width", width, "hidden units", positive);
    f.field("outputs", outputs, "of the network", positive);
  }
};

/// Differences beyond this share of the largest number are not rounding.
constexpr double kronecker_rounding = 1e-12;

/// A product of integers, which float64 holds exactly: of rounded factors it would have full rank.
Tensor matrix_of_rank(int64_t rows, int64_t columns, int64_t rank, at::Generator& generator) {
  const at::TensorOptions options(at::kDouble);
  return at::mm(at::randint(-9, 10, {rows, rank}, generator, options),
                at::randint(-9, 10, {rank, columns}, generator, options));
}

theory::PredictedSeries zero_error(std::string_view quantity, size_t places) {
  theory::PredictedSeries series = theory::predicted_series(quantity, theory::Relation::equal, "slides");
  series.values.assign(places, 0);
  series.absolute_tolerance = kronecker_rounding;
  return series;
}

Figure kronecker_figure(const LinearLayerMeasurement& layer) {
  Figure figure;
  figure.name = "linear_hidden_layer";
  figure.title = "Singular values of J and products of those of V and X";
  figure.caption = "One linear hidden layer, " + layer.place +
                   ". The curves coincide; beyond rank V times rank X both are rounding, which is left out.";
  figure.x = {"index"};
  figure.y = {"singular value", true};
  const auto add = [&](const std::string& label, const Tensor& values) {
    Curve curve{label, {}, {}, {}};
    for (int64_t i = 0; i < values.numel(); ++i) {
      const double value = values[i].item<double>();
      if (value < kronecker_rounding * values[0].item<double>()) break;
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(value);
    }
    figure.curves.push_back(curve);
  };
  add("of J", layer.singular_values);
  add("products", layer.products);
  return figure;
}

class LinearHiddenLayer final : public System {
 public:
  explicit LinearHiddenLayer(const LinearHiddenLayerOptions& options) : options_(options) {}

  Statement statement() const override {
    return {"S5", "One linear hidden layer",
            "For h(x) = v^T W x the Jacobian with respect to W is J = v (x) X, so that rank J = rank v rank "
            "X and "
            "J^T J = ||v||^2 X^T X.",
            "", "The width does not help: rank J <= rank X for one output, however many units there are."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=200", "dimension=100", "width=40", "outputs=10"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("layers");
    const int64_t full_inputs = std::min(options_.examples, options_.dimension);
    const int64_t full_outputs = std::min(options_.outputs, options_.width);
    std::vector<LinearLayerMeasurement> layers;
    for (const int64_t rank_inputs : {full_inputs, std::max<int64_t>(1, full_inputs / 2), int64_t{1}})
      for (const int64_t rank_outputs : {full_outputs, int64_t{1}})
        layers.push_back(draw(options_.examples, options_.outputs, rank_inputs, rank_outputs, generator));
    const int64_t few = options_.examples - 1;
    Evidence evidence;
    evidence.claims =
        linear_layer_claims(layers, draw(options_.examples, 1, std::min(few, full_inputs), 1, generator));
    evidence.figures = {kronecker_figure(layers.front())};
    evidence.setting = fmt::format("n {}  d {}  width {}  outputs {}", options_.examples, options_.dimension,
                                   options_.width, options_.outputs);
    NamedTable table{"Ranks", {{"layer", "rank V rank X", "rank J", "|J - V (x) X|"}, {}, 1}};
    for (const LinearLayerMeasurement& layer : layers)
      table.table.rows.push_back({layer.place, fmt::format("{:.0f}", layer.rank.value),
                                  layer.measured_rank.text(), fmt::format("{:.1e}", layer.block_error)});
    evidence.tables = {table};
    return evidence;
  }

 private:
  LinearLayerMeasurement draw(int64_t n, int64_t outputs, int64_t rank_inputs, int64_t rank_outputs,
                              at::Generator& generator) const {
    const Tensor inputs = matrix_of_rank(n, options_.dimension, rank_inputs, generator);
    const Tensor output_weights = matrix_of_rank(outputs, options_.width, rank_outputs, generator);
    const Tensor weights =
        at::randn({options_.width, options_.dimension}, generator, at::TensorOptions(at::kDouble));
    const std::string place =
        fmt::format("rank X {}, rank V {}", theory::bounds_of(rank_of_matrix(inputs)).text(),
                    theory::bounds_of(rank_of_matrix(output_weights)).text());
    return measure_linear_layer(place, inputs, weights, output_weights);
  }

  LinearHiddenLayerOptions options_;
};

std::unique_ptr<System> make_linear_hidden_layer(const LinearHiddenLayerOptions& options) {
  expects(options.examples >= 2, "linear_hidden_layer: {} examples; at least 2 are expected",
          options.examples);
  return std::make_unique<LinearHiddenLayer>(options);
}

}  // namespace

LinearLayerMeasurement measure_linear_layer(std::string place, const Tensor& inputs, const Tensor& weights,
                                            const Tensor& output_weights) {
  LinearLayerMeasurement layer;
  layer.place = std::move(place);
  layer.n = inputs.size(0);
  const Tensor jacobian =
      autograd::functional::jacobian(
          [&](const Tensor& w) { return at::mm(at::mm(inputs, w.t()), output_weights.t()).reshape({-1}); },
          weights)
          .reshape({inputs.size(0) * output_weights.size(0), -1});
  layer.rank = theory::linear_layer_rank(inputs, output_weights);
  // Entries are integers where those of X and V are, so exact arithmetic sees their rank.
  const RankReport report = rank_of_matrix(jacobian, {.exact_work = 20'000'000'000});
  layer.measured_rank = theory::bounds_of(report);
  layer.block_error =
      ((jacobian - theory::linear_layer_jacobian(inputs, output_weights)).abs().max() / jacobian.abs().max())
          .item<double>();
  layer.singular_values = report.spectrum.values;
  const Tensor all = at::outer(singular_values(inputs), singular_values(output_weights)).reshape({-1});
  layer.products = std::get<0>(at::sort(all, -1, true)).slice(0, 0, layer.singular_values.numel());
  const Tensor apart = layer.singular_values.slice(0, 0, layer.products.numel()) - layer.products;
  layer.spectrum_error = (apart.abs().max() / layer.products[0]).item<double>();
  return layer;
}

std::vector<Claim> linear_layer_claims(const std::vector<LinearLayerMeasurement>& layers,
                                       const LinearLayerMeasurement& deficient) {
  std::vector<std::string> places;
  std::vector<double> block, spectrum;
  std::vector<theory::Measured> ranks;
  theory::PredictedSeries rank =
      theory::predicted_series("rank J", theory::Relation::equal, layers.front().rank.source);
  for (const LinearLayerMeasurement& layer : layers) {
    places.push_back(layer.place);
    block.push_back(layer.block_error);
    spectrum.push_back(layer.spectrum_error);
    ranks.push_back(theory::Measured::within(layer.measured_rank, layer.place));
    rank.values.push_back(layer.rank.value);
    rank.assumptions.insert(rank.assumptions.end(), layer.rank.assumptions.begin(),
                            layer.rank.assumptions.end());
  }
  const size_t count = layers.size();
  return {
      judged("the Jacobian that autograd finds is V (x) X", zero_error("|J - V (x) X| / |J|", count), block,
             places),
      judged("its singular values are the products of those of V and X",
             zero_error("|sigma(J) - sigma(V) sigma(X)| / sigma_max", count), spectrum, places),
      judged("rank J = rank V rank X", rank, ranks),
      judged("rank J = n for dependent inputs, because the layer is wide, would be too much",
             theory::predicted("rank J", theory::Relation::equal, static_cast<double>(deficient.n), "none"),
             theory::Measured::within(deficient.measured_rank, deficient.place), theory::Ruling::fails)};
}

PLUMB_REGISTER(Systems, linear_hidden_layer, LinearHiddenLayerOptions, make_linear_hidden_layer,
               "S5: the Jacobian of one linear hidden layer is v (x) X")

}  // namespace plumb
