#include "plumb/lecture/last_layer.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/rank.hpp"
#include "plumb/models/activation.hpp"
#include "plumb/theory/jacobian_structure.hpp"
#include "plumb/theory/kernel_dynamics.hpp"
#include "plumb/theory/nonlinear_least_squares.hpp"

namespace plumb {
namespace {

using theory::Nonlinearity;
using theory::Relation;
using theory::Ruling;

struct LastLayerOptions {
  int64_t examples = 40;
  int64_t dimension = 20;
  int64_t depth = 3;
  int64_t steps = 8000;
  int64_t draws = 60;
  int64_t smallest_width = 64;
  int64_t widths = 5;

  void fields(Fields& f) {
    f.field("examples", examples, "n, unit vectors; at least 8", positive);
    f.field("dimension", dimension, "of the inputs, at least 2", positive);
    f.field("depth", depth, "hidden layers of the deep networks, at least 2", positive);
    f.field("steps", steps, "of gradient descent", positive);
    f.field("draws", draws, "of the features at each width", positive);
    f.field("smallest_width", smallest_width, "at which the kernel is measured", positive);
    f.field("widths", widths, "how often it is doubled, and one; at least 3", positive);
  }
};

Tensor apply_nonlinearity(const Nonlinearity& nonlinearity, const Tensor& z) {
  switch (nonlinearity.kind) {
    case Nonlinearity::Kind::linear:
      return z;
    case Nonlinearity::Kind::relu:
      return activate(z, Activation::relu);
    case Nonlinearity::Kind::leaky_relu:
      return activate(z, Activation::leaky_relu, nonlinearity.negative_slope);
    case Nonlinearity::Kind::erf:
      return activate(z, Activation::erf);
    case Nonlinearity::Kind::gelu:
      return activate(z, Activation::gelu);
  }
  return z;
}

theory::WideMlp hidden_layers(Nonlinearity::Kind kind, int64_t depth) {
  theory::WideMlp network;
  network.depth = depth;
  network.nonlinearity = {kind, 0.1};
  network.weight_variance = depth == 1 ? 1 : 2;
  network.input_fan_in = false;
  return network;
}

std::vector<int64_t> recorded_steps(int64_t last) {
  std::vector<int64_t> steps{0};
  for (int64_t k = 1; k < last; k = std::max(k + 1, k * 3 / 2)) steps.push_back(k);
  steps.push_back(last);
  return steps;
}

void run_descent(LastLayerRun& run, const Tensor& features, const Tensor& targets,
                 const theory::KernelDynamics& dynamics, double step) {
  const double scale = targets.norm().item<double>();
  Tensor weights = torch::zeros({features.size(1)}, torch::kDouble);
  int64_t k = 0;
  for (const int64_t at : run.steps) {
    for (; k < at; ++k) weights = weights + step * at::mv(features.t(), targets - at::mv(features, weights));
    const Tensor residual = targets - at::mv(features, weights);
    const Tensor expected = dynamics.descent_residual(step, k);
    run.residuals.push_back(residual.norm().item<double>() / scale);
    run.predicted.push_back(expected.norm().item<double>() / scale);
    run.vector_error.push_back((residual - expected).norm().item<double>() / scale);
  }
  const Tensor solution = at::mv(at::linalg_pinv(features), targets);
  run.least_residual = (targets - at::mv(features, solution)).norm().item<double>() / scale;
  run.solution_error = ((weights - solution).norm() / solution.norm()).item<double>();
  run.distance = weights.norm().item<double>();
}

theory::Prediction near(const char* quantity, double value, double tolerance, const char* source) {
  theory::Prediction prediction = theory::predicted(quantity, Relation::equal, value, source);
  prediction.relative_tolerance = tolerance;
  return prediction;
}

/// The claims of one run of gradient descent.
std::vector<Claim> descent_claims(const LastLayerRun& run) {
  std::vector<std::string> places;
  for (const int64_t step : run.steps) places.push_back("step " + std::to_string(step));
  theory::PredictedSeries closed = theory::predicted_series("||r_k - (I - eta Q Q^T)^k r_0|| / ||r_0||",
                                                            Relation::at_most, "Q a is linear in a");
  closed.values.assign(run.steps.size(), 1e-11);
  theory::Prediction rank = near("rank Q", static_cast<double>(std::min(run.n, run.width)), 0,
                                 "slides: almost surely, by continuity of the weights");
  theory::Prediction optimum = near("(||r_end|| - ||r_*||) / ||r_0||", 0, 0, "convex; normal equations");
  optimum.absolute_tolerance = 1e-8;
  return {judged("the residual of gradient descent at every step is the predicted one (" + run.place + ")",
                 closed, run.vector_error, places),
          judged("it ends at the residual of the least-squares optimum (" + run.place + ")", optimum,
                 {run.residuals.back() - run.least_residual, 0, ""}),
          judged("and at the shortest optimum: sqrt(y^T (Q Q^T)^+ y) from the start (" + run.place + ")",
                 near("||a_end - a_0||", run.shortest, 1e-6, "gradients lie in the range of Q^T"),
                 {run.distance, 0, ""}),
          judged("rank Q = min(n, m) (" + run.place + ")", rank, theory::Measured::within(run.rank))};
}

Claim slope_claim(const KernelConvergence& kernel) {
  return judged(
      "the distance of Q Q^T/m to K^inf falls as m^-1/2, 0.1 allowed to the exponent (" + kernel.place + ")",
      near("exponent of ||Q Q^T/m - K^inf||_F in m", -0.5, 0.2, "slides; mean of m independent terms"),
      {kernel.law.exponent, kernel.law.half_width, ""});
}

Figure convergence_figure(const std::vector<KernelConvergence>& kernels) {
  Figure figure;
  figure.name = "last_layer_kernel";
  figure.title = "The kernel of the last layer approaches that of infinite width";
  figure.caption = "Root mean square over draws of the weights; the last line falls as m^-1/2.";
  figure.x = {"width m", true};
  figure.y = {"||Q Q^T/m - K^inf|| / ||K^inf||", true};
  for (const KernelConvergence& kernel : kernels)
    figure.curves.push_back({kernel.place, kernel.widths, kernel.errors, {}});
  Curve line{"m^-1/2", kernels.front().widths, {}, {}};
  for (const double m : line.x)
    line.y.push_back(0.8 * kernels.front().errors.front() * std::sqrt(line.x.front() / m));
  figure.curves.push_back(line);
  return figure;
}

Figure descent_figure_of(const LastLayerRuns& runs) {
  Figure figure;
  figure.name = "last_layer_descent";
  figure.title = "Gradient descent on the last layer, and its closed form";
  figure.caption = "Narrow layers end at the least-squares optimum, wide ones at 0.";
  figure.x = {"step k + 1", true};
  figure.y = {"||r_k|| / ||r_0||", true, 1e-10};
  for (const auto* list : {&runs.wide, &runs.narrow})
    for (const LastLayerRun& run : *list) {
      std::vector<double> x;
      for (const int64_t step : run.steps) x.push_back(static_cast<double>(step + 1));
      figure.curves.push_back({run.place, x, run.residuals, {}});
      figure.curves.push_back({run.place + ", predicted", x, run.predicted, {}});
    }
  return figure;
}

class LastLayer final : public System {
 public:
  explicit LastLayer(const LastLayerOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S7", "Only the last layer is trained",
        "With Q = sigma(W X) of random weights the problem in the last layer is convex; rank Q = n almost "
        "surely for m >= n units, and Q Q^T/m tends to K^inf as the width grows.",
        "The residual of gradient descent is (I - eta Q Q^T)^k r_0. For ReLU and unit vectors K^inf = "
        "k_1(x.x'), half the arc-cosine kernel of Cho and Saul; for several layers it is the recursion of "
        "the neural network Gaussian process.",
        "Few units of ReLU may all be inactive on every example: then rank Q < m with positive "
        "probability, which smooth activations exclude. lambda_min(Q Q^T/m) is below that of "
        "K^inf at finite width, by a factor of about (1 - "
        "sqrt(n/m))^2; near m = n descent takes forever."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=200", "dimension=100", "steps=20000", "draws=50", "widths=8"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("last layer");
    const at::TensorOptions doubles(at::kDouble);
    Tensor inputs = at::randn({options_.examples, options_.dimension}, generator, doubles);
    inputs = inputs / inputs.norm(2, 1, true);
    const Tensor targets = at::randn({options_.examples}, generator, doubles);
    const LastLayerRuns runs = measure(inputs, targets, generator);
    Evidence evidence;
    evidence.setting = fmt::format("n {}  d {}  depth 1 and {}  {} draws", options_.examples,
                                   options_.dimension, options_.depth, options_.draws);
    evidence.claims = last_layer_claims(runs);
    evidence.figures = {convergence_figure(runs.kernels), descent_figure_of(runs)};
    NamedTable table{"Exponents", {{"network", "exponent", "half of the 95 % interval"}, {}, 1}};
    for (const KernelConvergence& kernel : runs.kernels)
      table.table.rows.push_back({kernel.place, fmt::format("{:.4f}", kernel.law.exponent),
                                  fmt::format("{:.4f}", kernel.law.half_width)});
    evidence.tables = {table};
    return evidence;
  }

 private:
  LastLayerRuns measure(const Tensor& inputs, const Tensor& targets, at::Generator& generator) const {
    using Kind = Nonlinearity::Kind;
    const int64_t n = options_.examples;
    LastLayerRuns runs;
    for (const int64_t depth : {int64_t{1}, options_.depth})
      for (const int64_t width : {6 * n, n / 4}) {
        const Tensor features = random_features(hidden_layers(Kind::erf, depth), width, inputs, generator);
        (width > n ? runs.wide : runs.narrow)
            .push_back(train_last_layer(fmt::format("erf, m {}, depth {}", width, depth), features, targets,
                                        options_.steps));
      }
    const auto add = [&](const char* name, Kind kind, int64_t depth) {
      std::vector<int64_t> widths;
      for (int64_t i = 0; i < options_.widths; ++i) widths.push_back(options_.smallest_width << i);
      const std::string place = depth == 1 ? name : fmt::format("{}, depth {}", name, depth);
      runs.kernels.push_back(
          measure_convergence(place, hidden_layers(kind, depth), inputs, widths, options_.draws, generator));
    };
    add("ReLU", Kind::relu, 1);
    add("leaky ReLU", Kind::leaky_relu, 1);
    add("erf", Kind::erf, 1);
    add("GELU", Kind::gelu, 1);
    add("ReLU", Kind::relu, options_.depth);
    const Tensor kernel = theory::last_layer_kernel(hidden_layers(Kind::relu, 1), inputs, inputs);
    const Tensor closed = theory::arc_cosine_1(at::mm(inputs, inputs.t()));
    runs.arc_cosine_error = (kernel - closed).abs().max().item<double>();
    return runs;
  }

  LastLayerOptions options_;
};

std::unique_ptr<System> make_last_layer(const LastLayerOptions& options) {
  if (options.examples < 8 || options.dimension < 2 || options.depth < 2 || options.widths < 3 ||
      options.widths > 12)
    throw ConfigError(
        fmt::format("last_layer: examples {}, dimension {}, depth {}, widths {}; at least 8, 2, 2 and 3 are "
                    "expected, and "
                    "no more than 12 widths",
                    options.examples, options.dimension, options.depth, options.widths));
  return std::make_unique<LastLayer>(options);
}

}  // namespace

Tensor random_features(const theory::WideMlp& network, int64_t width, const Tensor& inputs,
                       at::Generator& generator) {
  Tensor features = inputs;
  for (int64_t layer = 0; layer < network.depth; ++layer) {
    const int64_t fan_in = features.size(1);
    const bool divided = layer > 0 || network.input_fan_in;
    const double variance = network.weight_variance / (divided ? static_cast<double>(fan_in) : 1.0);
    const Tensor weights =
        std::sqrt(variance) * at::randn({fan_in, width}, generator, at::TensorOptions(at::kDouble));
    features = apply_nonlinearity(network.nonlinearity, at::mm(features, weights));
  }
  return features;
}

LastLayerRun train_last_layer(std::string place, const Tensor& features, const Tensor& targets,
                              int64_t steps) {
  LastLayerRun run;
  run.place = std::move(place);
  run.n = features.size(0);
  run.width = features.size(1);
  const RankReport report = rank_of_matrix(features);
  run.rank = theory::bounds_of(report);
  const Tensor gram = at::mm(features, features.t());
  const theory::KernelDynamics dynamics(gram, torch::zeros_like(targets), targets);
  run.steps = recorded_steps(steps);
  const double smallest = report.sigma_min * report.sigma_min;
  run_descent(run, features, targets, dynamics, 1.9 / (smallest + report.sigma_max * report.sigma_max));
  run.shortest = theory::least_displacement(gram, targets);
  return run;
}

KernelConvergence measure_convergence(std::string place, const theory::WideMlp& network, const Tensor& inputs,
                                      const std::vector<int64_t>& widths, int64_t draws,
                                      at::Generator& generator) {
  KernelConvergence kernel;
  kernel.place = std::move(place);
  const Tensor limit = theory::last_layer_kernel(network, inputs, inputs);
  for (const int64_t width : widths) {
    double squares = 0;
    for (int64_t draw = 0; draw < draws; ++draw) {
      const Tensor features = random_features(network, width, inputs, generator);
      const Tensor apart = at::mm(features, features.t()) / static_cast<double>(width) - limit;
      squares += (apart.square().sum() / limit.square().sum()).item<double>();
    }
    kernel.widths.push_back(static_cast<double>(width));
    kernel.errors.push_back(std::sqrt(squares / static_cast<double>(draws)));
  }
  kernel.law = theory::fit_power_law(kernel.widths, kernel.errors);
  return kernel;
}

std::vector<Claim> last_layer_claims(const LastLayerRuns& runs) {
  std::vector<Claim> claims;
  for (const auto* list : {&runs.wide, &runs.narrow})
    for (const LastLayerRun& run : *list)
      for (Claim& claim : descent_claims(run)) claims.push_back(std::move(claim));
  for (const LastLayerRun& run : runs.narrow)
    claims.push_back(
        judged("that gradient descent fits every label, however narrow the layer, would be too much (" +
                   run.place + ")",
               theory::predicted("||r_end|| / ||r_0||", Relation::at_most, 1e-6, "none"),
               {run.residuals.back(), 0, ""}, Ruling::fails));
  for (const KernelConvergence& kernel : runs.kernels) claims.push_back(slope_claim(kernel));
  theory::Prediction closed =
      theory::predicted("max |K^inf - k_1|", Relation::equal, 0, "Cho, Saul 2009; half their kernel");
  closed.absolute_tolerance = 1e-14;
  claims.push_back(judged("for one layer of ReLU K^inf is the arc-cosine kernel k_1(x.x')", closed,
                          {runs.arc_cosine_error, 0, ""}));
  return claims;
}

PLUMB_REGISTER(Systems, last_layer, LastLayerOptions, make_last_layer,
               "S7: training the last layer alone, its optimum, rank and kernel at growing width")

}  // namespace plumb
