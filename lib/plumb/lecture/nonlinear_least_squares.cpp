#include "plumb/lecture/nonlinear_least_squares.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/analysis/rank.hpp"
#include "plumb/autograd/functional.hpp"
#include "plumb/theory/jacobian_structure.hpp"
#include "plumb/theory/squared_loss.hpp"

namespace plumb {
namespace {

using theory::Relation;
using theory::Ruling;

struct NonlinearLeastSquaresOptions {
  int64_t examples = 20;
  int64_t dimension = 10;
  int64_t width = 40;
  int64_t steps = 20'000;
  int64_t narrow_dimension = 3;

  void fields(Fields& f) {
    f.field("examples", examples, "n", positive);
    f.field("dimension", dimension, "of the inputs", positive);
    f.field("width", width, "hidden units; width (dimension + 1) parameters are to be no fewer than examples",
            positive);
    f.field("steps", steps, "of gradient descent at most", positive);
    f.field("narrow_dimension", narrow_dimension,
            "of the inputs of the network of one unit, which is to have fewer parameters than examples",
            positive);
  }
};

/// Beneath this share of its start L is rounding of the predictions.
constexpr double loss_floor = 1e-20;

Tensor loss_gradient(const Predictions& predictions, const Tensor& w, const Tensor& targets) {
  const Tensor point = w.detach().clone().requires_grad_(true);
  const Tensor loss = (predictions(point) - targets).square().sum();
  return torch::autograd::grad({loss}, {point})[0];
}

Tensor jacobian_at(const Predictions& predictions, const Tensor& w) {
  return autograd::functional::jacobian([&](const Tensor& v) { return predictions(v); }, w.detach());
}

double pl_of(double smallest) { return theory::slides_pl_constant(theory::SquaredLoss::sum, smallest, 1); }

/// The prediction that the loss at the end is 0 because the point is stationary and rank J = n.
theory::Prediction stationary_is_global(const LeastSquaresRun& run) {
  theory::Prediction prediction =
      theory::predicted("L(w_end)/L(w_0)", Relation::at_most, 0, "slides; ||grad L||^2 >= 4 lambda_min L");
  prediction.absolute_tolerance = 1e-18;
  prediction.assumptions = {
      theory::requires_at_least("rank J = n", run.points.back().rank, static_cast<double>(run.n))};
  return prediction;
}

theory::Measured remaining_loss(const LeastSquaresRun& run) {
  const LeastSquaresPoint& end = run.points.back();
  return {end.loss / run.points.front().loss, 0, fmt::format("step {}", end.step)};
}

std::vector<Claim> run_claims(const LeastSquaresRun& run) {
  theory::PredictedSeries identity =
      theory::predicted_series("||grad L - 2 J^T r||/||grad L||", Relation::equal, "chain rule");
  theory::PredictedSeries inequality =
      theory::predicted_series("||grad L||^2", Relation::at_least, "slides; ||grad L||^2 = 4 r^T J J^T r");
  theory::PredictedSeries constant =
      theory::predicted_series("||grad L||^2/L", Relation::at_least, "slides: mu = 4 lambda_min(J J^T)");
  theory::PredictedSeries rank = theory::predicted_series("rank J", Relation::equal, "slides");
  identity.absolute_tolerance = 1e-10;
  rank.relative_tolerance = 0;
  std::vector<double> errors, gradients, ratios;
  std::vector<theory::Measured> ranks;
  std::vector<std::string> places;
  double least = std::numeric_limits<double>::infinity();
  for (const LeastSquaresPoint& point : run.points) {
    least = theory::least(least, point.smallest);
    errors.push_back(point.identity_error);
    gradients.push_back(point.gradient);
    ratios.push_back(point.ratio());
    inequality.values.push_back(pl_of(point.smallest) * point.loss);
    places.push_back(fmt::format("step {}", point.step));
    ranks.push_back(theory::Measured::within(point.rank, places.back()));
  }
  identity.values.assign(places.size(), 0);
  constant.values.assign(places.size(), pl_of(least));
  rank.values.assign(places.size(), static_cast<double>(run.n));
  return {judged("the gradient of L is 2 J^T r", identity, errors, places),
          judged("||grad L||^2 >= 4 lambda_min(J J^T) L along the whole run", inequality, gradients, places),
          judged("so that mu = 4 min_k lambda_min(J_k J_k^T) is a PL constant of the run", constant, ratios,
                 places),
          judged("rank J = n along the whole run", rank, ranks),
          judged("where rank J = n there is no bad local minimum: descent ends at error 0",
                 stationary_is_global(run), remaining_loss(run))};
}

Figure least_squares_figure(const LeastSquaresRuns& runs) {
  Figure figure;
  figure.name = "nonlinear_least_squares";
  figure.title = "The PL ratio along gradient descent, and its bound";
  figure.caption =
      "Late in the run the residual lies along the slowest mode, where the bound is an equality. For fewer "
      "parameters than examples lambda_min(J J^T) = 0 bounds nothing, and the ratio falls with the gradient.";
  figure.x = {"step k + 1", true};
  figure.y = {"||grad L||^2/L", true, 1e-12};
  Curve ratio{"enough parameters", {}, {}, {}};
  Curve bound{"4 lambda_min(J J^T)", {}, {}, {}};
  for (const LeastSquaresPoint& point : runs.wide.points) {
    ratio.x.push_back(static_cast<double>(point.step + 1));
    ratio.y.push_back(point.ratio());
    bound.y.push_back(pl_of(point.smallest));
  }
  bound.x = ratio.x;
  Curve narrow{"fewer parameters than examples", {}, {}, {}};
  for (const LeastSquaresPoint& point : runs.narrow.points) {
    narrow.x.push_back(static_cast<double>(point.step + 1));
    narrow.y.push_back(point.ratio());
  }
  figure.curves = {ratio, bound, narrow};
  return figure;
}

Tensor gaussian(std::vector<int64_t> shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

class NonlinearLeastSquares final : public System {
 public:
  explicit NonlinearLeastSquares(const NonlinearLeastSquaresOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S3", "Nonlinear least squares",
        "L(w) = ||f(w) - y||^2 satisfies the PL inequality with mu = 4 lambda_min(J^T J), J = d f/d w; "
        "where rank J = n there are no bad local minima.",
        "||grad L||^2 = 4 r^T J J^T r >= 4 lambda_min(J J^T) L, with J (n, p) of one row an example. In "
        "Karimi's convention mu = 2 lambda_min; for 1/2 ||r||^2 it is lambda_min.",
        "The slides' J has one column an example, so that their J^T J is the n x n matrix J J^T here: for "
        "p > n the p x p one is always singular."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=100", "dimension=50", "width=200"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("least squares");
    const LeastSquaresRuns runs = measure(generator);
    Evidence evidence;
    evidence.setting = fmt::format("tanh, n {}: d {}, {} parameters; d {}, {} parameters", options_.examples,
                                   options_.dimension, runs.wide.parameters, options_.narrow_dimension,
                                   runs.narrow.parameters);
    evidence.claims = nonlinear_least_squares_claims(runs);
    evidence.figures = {least_squares_figure(runs)};
    const LeastSquaresPoint& end = runs.narrow.points.back();
    evidence.remarks.push_back(
        fmt::format("With fewer parameters than examples descent stops at a strict local minimum: L = "
                    "{:.3f}, ||grad L|| = "
                    "{:.1e}, smallest eigenvalue of the Hessian {:.3g}, after {} steps.",
                    end.loss, std::sqrt(end.gradient), runs.narrow_curvature, end.step));
    return evidence;
  }

 private:
  LeastSquaresRuns measure(at::Generator& generator) const {
    const int64_t n = options_.examples;
    const int64_t d = options_.dimension;
    const Tensor inputs = gaussian({n, d}, generator) / std::sqrt(d);
    const Tensor targets = gaussian({n}, generator);
    const Tensor start = gaussian({options_.width * (d + 1)}, generator);
    const Predictions wide = tanh_predictions(inputs, options_.width);
    LeastSquaresRuns runs;
    runs.wide = descend_predictions("wide", wide, start, targets, options_.steps);
    const Tensor jacobian = jacobian_at(wide, start);
    const Tensor vectors = std::get<1>(at::linalg_eigh(at::mm(jacobian, jacobian.t())));
    runs.slowest = measure_point(wide, start, wide(start) + vectors.select(1, 0));
    const Tensor few_inputs = gaussian({n, options_.narrow_dimension}, generator);
    const Predictions narrow = tanh_predictions(few_inputs, 1);
    // A teacher with noise, so that the best weights are finite.
    const Tensor teacher = torch::ones({options_.narrow_dimension + 1}, torch::kDouble);
    const Tensor noisy = narrow(teacher) + 0.5 * gaussian({n}, generator);
    runs.narrow = descend_predictions("narrow", narrow, 0.5 * teacher, noisy, options_.steps);
    runs.narrow_curvature = smallest_hessian_eigenvalue(narrow, runs.narrow.end, noisy);
    return runs;
  }

  NonlinearLeastSquaresOptions options_;
};

std::unique_ptr<System> make_nonlinear_least_squares(const NonlinearLeastSquaresOptions& options) {
  const int64_t parameters = options.width * (options.dimension + 1);
  if (parameters < options.examples || options.narrow_dimension + 1 >= options.examples)
    throw ConfigError(fmt::format(
        "nonlinear_least_squares: {} examples, {} and {} parameters; as many parameters or more are expected "
        "of the wide network, and fewer of the narrow one",
        options.examples, parameters, options.narrow_dimension + 1));
  return std::make_unique<NonlinearLeastSquares>(options);
}

}  // namespace

Predictions tanh_predictions(const Tensor& inputs, int64_t width) {
  const int64_t d = inputs.size(1);
  return [inputs, width, d](const Tensor& w) {
    const Tensor weights = w.slice(0, 0, width * d).reshape({width, d});
    const Tensor output_weights = w.slice(0, width * d);
    return at::mv(at::tanh(at::mm(inputs, weights.t())), output_weights) /
           std::sqrt(static_cast<double>(width));
  };
}

LeastSquaresPoint measure_point(const Predictions& predictions, const Tensor& w, const Tensor& targets) {
  const Tensor jacobian = jacobian_at(predictions, w);
  const Tensor residual = predictions(w) - targets;
  const Tensor gradient = loss_gradient(predictions, w, targets);
  const RankReport report = rank_of_matrix(jacobian);
  LeastSquaresPoint point;
  point.loss = residual.square().sum().item<double>();
  point.gradient = gradient.square().sum().item<double>();
  point.smallest = w.numel() < residual.numel() ? 0 : report.sigma_min * report.sigma_min;
  point.rank = theory::bounds_of(report);
  point.identity_error =
      ((gradient - 2 * at::mv(jacobian.t(), residual)).norm() / gradient.norm()).item<double>();
  return point;
}

LeastSquaresRun descend_predictions(std::string place, const Predictions& predictions, Tensor w,
                                    const Tensor& targets, int64_t steps) {
  LeastSquaresRun run;
  run.place = std::move(place);
  run.n = targets.numel();
  run.parameters = w.numel();
  const double largest = at::linalg_svdvals(jacobian_at(predictions, w))[0].item<double>();
  const double eta = 0.45 / (largest * largest);
  int64_t next = 0;
  for (int64_t k = 0; k <= steps; ++k) {
    if (k == next || k == steps) {
      LeastSquaresPoint point = measure_point(predictions, w, targets);
      point.step = k;
      run.points.push_back(point);
      run.end = w;
      if (point.loss <= loss_floor * run.points.front().loss) break;
      next = std::max(k + 1, k + k / 8);
    }
    w = w - eta * loss_gradient(predictions, w, targets);
  }
  return run;
}

double smallest_hessian_eigenvalue(const Predictions& predictions, const Tensor& w, const Tensor& targets) {
  const Tensor hessian = autograd::functional::hessian(
      [&](const Tensor& v) { return (predictions(v) - targets).square().sum(); }, w.detach());
  return at::linalg_eigvalsh((hessian + hessian.t()) / 2)[0].item<double>();
}

std::vector<Claim> nonlinear_least_squares_claims(const LeastSquaresRuns& runs) {
  std::vector<Claim> claims = run_claims(runs.wide);
  theory::Prediction tight =
      theory::predicted("||grad L||^2/L", Relation::equal, pl_of(runs.slowest.smallest),
                        "the residual is the eigenvector of lambda_min");
  tight.relative_tolerance = 1e-7;
  claims.push_back(judged("mu = 4 lambda_min is the best constant: a residual along the slowest mode has it",
                          tight, {runs.slowest.ratio(), 0, ""}));
  claims.push_back(judged(
      "mu = 8 lambda_min, by confusion of the conventions, would be too much",
      theory::predicted("||grad L||^2/L", Relation::at_least, 2 * pl_of(runs.slowest.smallest), "none"),
      {runs.slowest.ratio(), 0, ""}, Ruling::fails));
  const LeastSquaresPoint& end = runs.narrow.points.back();
  claims.push_back(judged("with fewer parameters than examples nothing is promised",
                          stationary_is_global(runs.narrow), remaining_loss(runs.narrow),
                          Ruling::hypotheses_not_met));
  claims.push_back(judged(
      "there descent comes to a stationary point",
      theory::predicted("||grad L||^2/||grad L(w_0)||^2", Relation::at_most, 1e-18, "gradient descent"),
      {end.gradient / runs.narrow.points.front().gradient, 0, fmt::format("step {}", end.step)}));
  claims.push_back(
      judged("which is a strict local minimum: its Hessian is positive definite",
             theory::predicted("lambda_min(Hessian of L)", Relation::at_least, 1e-6, "second order"),
             {runs.narrow_curvature, 0, ""}));
  claims.push_back(judged("that its error is 0 would be too much",
                          theory::predicted("L(w_end)/L(w_0)", Relation::at_most, 1e-18, "none"),
                          remaining_loss(runs.narrow), Ruling::fails));
  return claims;
}

PLUMB_REGISTER(Systems, nonlinear_least_squares, NonlinearLeastSquaresOptions, make_nonlinear_least_squares,
               "S3: the PL inequality of nonlinear least squares along gradient descent")

}  // namespace plumb
