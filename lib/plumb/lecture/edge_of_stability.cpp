#include "plumb/lecture/edge_of_stability.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/lecture/short_path_run.hpp"

namespace plumb {
namespace {

using theory::Relation;
using theory::Ruling;

struct EdgeOfStabilityOptions {
  int64_t degree = 4;
  int64_t points = 20;
  int64_t width = 100;
  double step = 0.4;
  int64_t steps = 20'000;
  int64_t records = 200;
  int64_t lazy_width = 16'384;

  void fields(Fields& f) {
    f.field("degree", degree, "of the Chebyshev polynomial that is fitted", positive);
    f.field("points", points, "on [-1, 1], at least 2", positive);
    f.field("width", width, "hidden units", positive);
    f.field("step", step, "eta; a tenth of it serves for comparison", positive);
    f.field("steps", steps, "of gradient descent", positive);
    f.field("records", records, "of the sharpness, at least 10", positive);
    f.field("lazy_width", lazy_width, "hidden units of the lazy network, even", positive);
  }
};

/// w, b, v and what the units make of the inputs.
struct CurveUnits {
  Tensor w, b, v, values, slopes, residual;  // values = tanh, slopes = tanh': (n, h)

  CurveUnits(const CurveFit& task, const Tensor& theta) {
    const int64_t h = theta.size(0) / 3;
    w = theta.slice(0, 0, h);
    b = theta.slice(0, h, 2 * h);
    v = theta.slice(0, 2 * h);
    values = at::tanh(at::outer(task.inputs, w) + b);
    slopes = 1 - values.square();
    residual = at::mv(values, v) - task.targets;
  }
  Tensor jacobian(const Tensor& inputs) const {
    const Tensor by_bias = slopes * v;
    return torch::cat({by_bias * inputs.unsqueeze(1), by_bias, values}, 1);
  }
};

theory::Prediction bound(const char* quantity, Relation relation, double value, const char* source) {
  return theory::predicted(quantity, relation, value, source);
}

double mean_loss(const EdgeRun& run, size_t from, size_t to) {
  double sum = 0;
  for (size_t i = from; i < to; ++i) sum += run.losses[i];
  return sum / static_cast<double>(to - from);
}

std::vector<Claim> edge_claims(const EdgeRun& run) {
  const char* source = "Cohen, Kaur, Li, Kolter, Talwalkar 2021";
  const size_t count = run.losses.size();
  const double later = mean_loss(run, 3 * count / 4, count) / mean_loss(run, count / 4, count / 2);
  const double highest = theory::greatest(run.sharpness);
  theory::Prediction descent = bound("rises of the loss", Relation::equal, 0, "descent lemma");
  descent.assumptions = {theory::requires_at_most("the run starts below the threshold: sharpness <= 2/eta",
                                                  run.sharpness.front(), run.threshold())};
  return {judged("while the sharpness is below 2/eta the loss falls at every step", descent,
                 {static_cast<double>(run.rises_before), 0, ""}),
          judged("over the last half the median sharpness is no less than 0.95 of 2/eta",
                 bound("median sharpness / (2/eta)", Relation::at_least, 0.95, source),
                 {run.median_share(), 0, ""}),
          judged("and no more than 1.1 of it",
                 bound("median sharpness / (2/eta)", Relation::at_most, 1.1, source),
                 {run.median_share(), 0, ""}),
          judged("that it stays below 2/eta, as a quadratic would ask, would be too much",
                 bound("max sharpness / (2/eta)", Relation::at_most, 1, "descent lemma"),
                 {highest / run.threshold(), 0, ""}, Ruling::fails),
          judged("beyond 2/eta the loss is not monotone",
                 bound("rises of the loss", Relation::at_least, 1, source),
                 {static_cast<double>(run.rises_after), 0, ""}),
          judged("yet in the long run it falls: the last quarter is below the second",
                 bound("mean loss, last quarter / second quarter", Relation::at_most, 1, source),
                 {later, 0, ""})};
}

std::vector<Claim> lazy_claims(const EdgeRuns& runs) {
  std::vector<Claim> claims;
  for (const LazyMode* mode : {&runs.stable, &runs.unstable}) {
    theory::Prediction factor =
        bound("|r_K/r_0|^(1/K) along the first mode", Relation::equal, mode->predicted, "r' = (I - eta G) r");
    factor.relative_tolerance = 0.01;
    claims.push_back(judged(
        fmt::format("a lazy network's first mode changes by |1 - eta lambda_max(G)| a step, to 1 %, at "
                    "eta = {:.2f} of 2/lambda_max(G)",
                    mode->step_share),
        factor, {mode->factor, 0, ""}));
  }
  claims.push_back(judged("so that it is stable for eta < 2/lambda_max(G)",
                          bound("factor per step", Relation::at_most, 1, "r' = (I - eta G) r"),
                          {runs.stable.factor, 0, ""}));
  claims.push_back(judged("and that it were for longer steps would be too much",
                          bound("factor per step", Relation::at_most, 1, "none"),
                          {runs.unstable.factor, 0, ""}, Ruling::fails));
  claims.push_back(
      judged("there is no progressive sharpening in it: lambda_max(G) moves by less than 1 %",
             bound("|change of lambda_max(G)| / lambda_max(G)", Relation::at_most, 0.01, "lazy training"),
             {runs.stable.sharpness_change, 0, ""}));
  return claims;
}

Curve sharpness_curve(const std::string& label, const EdgeRun& run) {
  Curve curve{label, {}, run.sharpness, {}};
  for (const int64_t step : run.steps) curve.x.push_back(run.step * static_cast<double>(step));
  return curve;
}

Figure sharpness_figure(const EdgeRuns& runs) {
  Figure figure;
  figure.name = "edge_of_stability";
  figure.title = "Sharpness along gradient descent";
  figure.caption =
      "With the longer step the sharpness rises to 2/eta and stays there; with the shorter one it goes its "
      "way.";
  figure.x = {"time eta k"};
  figure.y = {"sharpness"};
  const Curve edge = sharpness_curve(fmt::format("eta {:.3g}", runs.edge.step), runs.edge);
  const Curve free = sharpness_curve(fmt::format("eta {:.3g}", runs.short_steps.step), runs.short_steps);
  const double threshold = runs.edge.threshold();
  figure.curves = {edge, free, {"2/eta", {0, edge.x.back()}, {threshold, threshold}, {}}};
  return figure;
}

Figure edge_loss_figure(const EdgeRuns& runs) {
  Figure figure;
  figure.name = "edge_of_stability_loss";
  figure.title = "Loss along the same runs";
  figure.caption = "At the edge the loss is not monotone from step to step, and falls nevertheless.";
  figure.x = {"time eta k"};
  figure.y = {"loss", true};
  for (const EdgeRun* run : {&runs.edge, &runs.short_steps}) {
    Curve curve = sharpness_curve(fmt::format("eta {:.3g}", run->step), *run);
    curve.y = run->losses;
    figure.curves.push_back(curve);
  }
  return figure;
}

class EdgeOfStability final : public System {
 public:
  explicit EdgeOfStability(const EdgeOfStabilityOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "E1", "The edge of stability (Cohen et al. 2021)",
        "Gradient descent with step eta is stable on a quadratic only if its sharpness is below 2/eta.",
        "The sharpness of networks rises until 2/eta and then hovers just above it; the loss falls in the "
        "long run, though not at every step. In the lazy regime the sharpness is constant, and descent is "
        "stable if and only if eta < 2/lambda_max(G) (for 1/2 ||r||^2).",
        "The threshold belongs to the loss: the paper's is the mean of 1/2 r^2, whose sharpness is 1/n of "
        "that of 1/2 ||r||^2."};
  }

  std::vector<std::string> paper_size() const override { return {"steps=100000", "records=1000"}; }

  Evidence run(const Surroundings& surroundings) const override {
    const CurveFit task = chebyshev_task(options_.degree, options_.points);
    at::Generator generator = surroundings.seed.stream("weights");
    const Tensor start = curve_start(options_.width, generator);
    EdgeRuns runs;
    runs.edge = run_to_edge(task, start, options_.step, options_.steps, options_.records);
    runs.short_steps = run_to_edge(task, start, options_.step / 10, options_.steps, options_.records / 4);
    runs.stable = run_lazy_mode(task.inputs, options_.lazy_width, 0.95, 40, generator);
    runs.unstable = run_lazy_mode(task.inputs, options_.lazy_width, 1.05, 40, generator);
    Evidence evidence;
    evidence.setting = fmt::format("T_{} on {} points  width {}  eta {}  {} steps", options_.degree,
                                   options_.points, options_.width, options_.step, options_.steps);
    evidence.claims = edge_of_stability_claims(runs);
    evidence.figures = {sharpness_figure(runs), edge_loss_figure(runs)};
    evidence.remarks.push_back(fmt::format(
        "Sharpness {:.3f} at the start, 2/eta = {:.3f} first passed at step {}; median over the last half "
        "{:.3f} of it. The loss rose on {} steps. With a tenth of the step the sharpness came to {:.2f} of "
        "the longer step's threshold.",
        runs.edge.sharpness.front(), runs.edge.threshold(), runs.edge.crossing, runs.edge.median_share(),
        runs.edge.rises_after, theory::greatest(runs.short_steps.sharpness) / runs.edge.threshold()));
    return evidence;
  }

 private:
  EdgeOfStabilityOptions options_;
};

std::unique_ptr<System> make_edge_of_stability(const EdgeOfStabilityOptions& options) {
  if (options.points < 2 || options.records < 40 || options.records > options.steps ||
      options.lazy_width % 2 != 0)
    throw ConfigError(fmt::format(
        "edge_of_stability: {} points, {} records of {} steps, lazy width {}; 2 points or more, from 40 "
        "records to one a step, and an even width are expected",
        options.points, options.records, options.steps, options.lazy_width));
  return std::make_unique<EdgeOfStability>(options);
}

}  // namespace

double CurveFit::loss(const Tensor& theta) const {
  return CurveUnits(*this, theta).residual.square().mean().item<double>() / 2;
}

Tensor CurveFit::gradient(const Tensor& theta) const {
  const CurveUnits units(*this, theta);
  return at::mv(units.jacobian(inputs).t(), units.residual) / static_cast<double>(inputs.size(0));
}

Tensor CurveFit::hessian(const Tensor& theta) const {
  const CurveUnits units(*this, theta);
  const int64_t h = units.w.size(0);
  const Tensor jacobian = units.jacobian(inputs);
  Tensor hessian = at::mm(jacobian.t(), jacobian);
  // The rest is r_i times the second derivatives of f(x_i), which couple w, b and v of one unit only.
  const Tensor bends = -2 * units.values * units.slopes * units.v;
  const auto add = [&](int64_t row, int64_t column, const Tensor& terms) {
    const Tensor sums = at::mv(terms.t(), units.residual);
    hessian.slice(0, row * h, (row + 1) * h).slice(1, column * h, (column + 1) * h).diagonal().add_(sums);
    if (row != column)
      hessian.slice(0, column * h, (column + 1) * h).slice(1, row * h, (row + 1) * h).diagonal().add_(sums);
  };
  const Tensor x = inputs.unsqueeze(1);
  add(0, 0, bends * x * x);
  add(0, 1, bends * x);
  add(1, 1, bends);
  add(0, 2, units.slopes * x);
  add(1, 2, units.slopes);
  return hessian / static_cast<double>(inputs.size(0));
}

CurveFit chebyshev_task(int64_t degree, int64_t points) {
  const Tensor inputs = torch::linspace(-1, 1, points, torch::kDouble);
  return {inputs, at::cos(static_cast<double>(degree) * at::acos(inputs))};
}

Tensor curve_start(int64_t width, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  const double deviation = std::sqrt(2 / static_cast<double>(1 + width));
  const Tensor w = 1.9 * deviation * at::randn({width}, generator, doubles);
  const Tensor v = deviation * at::randn({width}, generator, doubles);
  return torch::cat({w, torch::zeros({width}, torch::kDouble), v});
}

double EdgeRun::median_share() const {
  std::vector<double> half(sharpness.begin() + static_cast<int64_t>(sharpness.size() / 2), sharpness.end());
  std::sort(half.begin(), half.end());
  return half[half.size() / 2] / threshold();
}

EdgeRun run_to_edge(const CurveFit& task, Tensor theta, double step, int64_t steps, int64_t records) {
  EdgeRun run;
  run.step = step;
  const int64_t spacing = std::max<int64_t>(1, steps / records);
  double before = task.loss(theta);
  for (int64_t k = 0; k <= steps; ++k) {
    if (k % spacing == 0) {
      run.steps.push_back(k);
      run.losses.push_back(before);
      run.sharpness.push_back(at::linalg_eigvalsh(task.hessian(theta))[-1].item<double>());
      if (run.crossing < 0 && run.sharpness.back() > run.threshold()) run.crossing = k;
    }
    theta = theta - step * task.gradient(theta);
    const double after = task.loss(theta);
    if (after > before) ++(run.crossing < 0 ? run.rises_before : run.rises_after);
    before = after;
    if (!std::isfinite(after)) break;
  }
  return run;
}

LazyMode run_lazy_mode(const Tensor& points, int64_t width, double step_share, int64_t steps,
                       at::Generator& generator) {
  TanhNetwork network{torch::stack({points, torch::ones_like(points)}, 1), {}};
  Tensor weights = paired_start(network, width, generator);
  const Tensor before = network.gram(weights);
  const auto [values, vectors] = at::linalg_eigh(before);
  const double largest = values[-1].item<double>();
  const Tensor mode = vectors.select(1, vectors.size(1) - 1);
  const Tensor targets = 0.01 * mode;
  const double step = 2 * step_share / largest;
  for (int64_t k = 0; k < steps; ++k)
    weights = weights - step * at::mv(network.jacobian(weights).t(), network.predictions(weights) - targets)
                                   .reshape(weights.sizes());
  const double left = std::abs(at::dot(mode, network.predictions(weights) - targets).item<double>()) / 0.01;
  const double after = at::linalg_eigvalsh(network.gram(weights))[-1].item<double>();
  return {step_share, std::pow(left, 1 / static_cast<double>(steps)), std::abs(1 - step * largest),
          std::abs(after - largest) / largest};
}

std::vector<Claim> edge_of_stability_claims(const EdgeRuns& runs) {
  std::vector<Claim> claims = edge_claims(runs.edge);
  claims.push_back(
      judged("with a tenth of the step the loss falls at every step",
             bound("rises of the loss", Relation::at_most, 0, "descent lemma"),
             {static_cast<double>(runs.short_steps.rises_before + runs.short_steps.rises_after), 0, ""}));
  for (Claim& claim : lazy_claims(runs)) claims.push_back(std::move(claim));
  return claims;
}

PLUMB_REGISTER(Systems, edge_of_stability, EdgeOfStabilityOptions, make_edge_of_stability,
               "E1: sharpness of gradient descent at 2/eta, and the lazy regime where it does not move")

}  // namespace plumb
