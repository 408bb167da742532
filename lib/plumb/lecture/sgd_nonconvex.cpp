#include "plumb/lecture/sgd_nonconvex.hpp"

#include <cmath>

#include <torch/torch.h>

namespace plumb {
namespace {

using theory::Relation;
using theory::Ruling;

struct SgdNonconvexOptions {
  int64_t examples = 200;
  int64_t dimension = 20;
  int64_t runs = 8;
  std::vector<int64_t> horizons{100, 1000, 10000};

  void fields(Fields& f) {
    f.field("examples", examples, "of the robust regression", positive);
    f.field("dimension", dimension, "of its inputs", positive);
    f.field("runs", runs, "of SGD, averaged; 8 or more", positive);
    f.field("horizons", horizons, "numbers of steps T, growing; each is run with its best step", positive);
  }
};

/// Mean of (s) numbers and half its 95 % interval; 2.4 is Student's quantile for 7 degrees of freedom or
/// more, rounded up.
theory::Measured sgd_mean(const Tensor& sample, std::string place) {
  const double half = 2.4 * sample.std().item<double>() / std::sqrt(static_cast<double>(sample.numel()));
  return {sample.mean().item<double>(), half, std::move(place)};
}

std::vector<double> least_gradient_norms(const RobustRegression& f, double step,
                                         const std::vector<int64_t>& horizons) {
  Tensor w = torch::zeros({1, f.dimension()}, torch::kDouble);
  std::vector<double> least;
  double so_far = std::numeric_limits<double>::infinity();
  for (int64_t t = 1; t <= horizons.back(); ++t) {
    const Tensor gradient = f.at(w).gradients;
    so_far = theory::least(so_far, gradient.square().sum().item<double>());
    if (t == horizons[least.size()]) least.push_back(so_far);
    w = w - step * gradient;
  }
  return least;
}

Figure sgd_figure(const SgdNonconvexRuns& runs) {
  Figure figure;
  figure.name = "sgd_nonconvex";
  figure.title = "Squared gradient norms of SGD and of gradient descent, and their bounds";
  figure.caption =
      "Average over T steps and over runs of SGD with the best constant step for T, bars 95 %; the least "
      "of T steps of gradient descent.";
  figure.x = {"steps T", true};
  figure.y = {"squared gradient norm", true};
  Curve sgd{"SGD", {}, {}, {}}, bound{"SGD, bound", {}, {}, {}}, gd{"gradient descent", {}, {}, {}},
      gd_bound{"gradient descent, bound", {}, {}, {}};
  for (size_t i = 0; i < runs.averages.size(); ++i) {
    const SgdAverage& average = runs.averages[i];
    const auto horizon = static_cast<double>(average.horizon);
    for (Curve* curve : {&sgd, &bound, &gd, &gd_bound}) curve->x.push_back(horizon);
    sgd.y.push_back(average.gradient_norm.value);
    sgd.error.push_back(average.gradient_norm.uncertainty);
    bound.y.push_back(
        theory::best_sgd_gradient_norm(runs.problem, {runs.gradient_bound, 0}, average.horizon).value);
    gd.y.push_back(runs.descent[i]);
    gd_bound.y.push_back(
        theory::gd_gradient_norm(runs.problem, 1 / runs.problem.smoothness, {average.horizon}).values[0]);
  }
  figure.curves = {sgd, bound, gd, gd_bound};
  return figure;
}

class SgdNonconvex final : public System {
 public:
  explicit SgdNonconvex(const SgdNonconvexOptions& options) : options_(options) {}

  Statement statement() const override {
    return {"S2", "SGD on smooth functions that are not convex",
            "SGD on a beta-smooth function with bounded stochastic gradients finds points of small gradient, "
            "at a very "
            "slow rate.",
            "(1/T) sum E ||grad f(w_t)||^2 <= (f_0 - f*)/(gamma T) + beta gamma C^2/2, least at gamma = "
            "sqrt(2 (f_0 - "
            "f*)/(beta C^2 T)), where it is C sqrt(2 beta (f_0 - f*)/T) (Ghadimi, Lan 2013).",
            "O(1/sqrt T) is of the squared norm: T^(-1/4) of the norm itself. Gradient descent has O(1/T)."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=1000", "dimension=100", "runs=20", "horizons=[100,1000,10000,100000]"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator data = surroundings.seed.stream("robust regression");
    const Tensor inputs =
        at::randn({options_.examples, options_.dimension}, data, at::TensorOptions(at::kDouble));
    const Tensor targets = 2 * at::randn({options_.examples}, data, at::TensorOptions(at::kDouble));
    const RobustRegression f(inputs, targets);
    SgdNonconvexRuns runs{f.problem(), f.gradient_bound(), {}, {}};
    at::Generator draws = surroundings.seed.stream("examples drawn");
    for (const int64_t horizon : options_.horizons) {
      if (surroundings.progress) surroundings.progress(fmt::format("SGD, {} steps", horizon));
      const double step = theory::best_sgd_step(runs.problem, {runs.gradient_bound, 0}, horizon);
      runs.averages.push_back(average_sgd(f, step, horizon, options_.runs, draws));
    }
    runs.descent = least_gradient_norms(f, 1 / runs.problem.smoothness, options_.horizons);
    Evidence evidence;
    evidence.setting =
        fmt::format("robust regression, n {}  d {}; {} runs, up to {} steps", options_.examples,
                    options_.dimension, options_.runs, options_.horizons.back());
    evidence.claims = sgd_nonconvex_claims(runs);
    evidence.figures = {sgd_figure(runs)};
    return evidence;
  }

 private:
  SgdNonconvexOptions options_;
};

std::unique_ptr<System> make_sgd_nonconvex(const SgdNonconvexOptions& options) {
  expects(options.runs >= 8 && !options.horizons.empty() &&
              std::is_sorted(options.horizons.begin(), options.horizons.end(), std::less_equal<>()),
          "sgd_nonconvex: {} runs and {} horizons; 8 runs and growing horizons are expected", options.runs,
          options.horizons.size());
  return std::make_unique<SgdNonconvex>(options);
}

}  // namespace

RobustRegression::RobustRegression(Tensor inputs, Tensor targets)
    : inputs_(std::move(inputs)), targets_(std::move(targets)) {}

theory::SmoothProblem RobustRegression::problem() const {
  const double largest = at::linalg_svdvals(inputs_)[0].item<double>();
  const double beta = 2 * largest * largest / static_cast<double>(examples());
  return {beta, at(torch::zeros({1, dimension()}, torch::kDouble)).values.item<double>()};
}

double RobustRegression::gradient_bound() const {
  return 3 * std::sqrt(3.0) / 8 * std::sqrt(inputs_.square().sum(1).mean().item<double>());
}

RobustRegression::At RobustRegression::at(const Tensor& points) const {
  const Tensor t = at::mm(points, inputs_.t()) - targets_;  // (s, n)
  const Tensor square = t.square();
  const Tensor slope = 2 * t / (1 + square).square();
  const auto n = static_cast<double>(examples());
  return {(square / (1 + square)).mean(1), at::mm(slope, inputs_) / n,
          at::mv(slope.square(), inputs_.square().sum(1)) / n};
}

Tensor RobustRegression::example_gradients(const Tensor& points, const Tensor& examples) const {
  const Tensor x = inputs_.index_select(0, examples);
  const Tensor t = (x * points).sum(1, true) - targets_.index_select(0, examples).unsqueeze(1);
  return 2 * t / (1 + t.square()).square() * x;
}

SgdAverage average_sgd(const RobustRegression& f, double step, int64_t horizon, int64_t runs,
                       at::Generator& generator) {
  const auto count = static_cast<double>(horizon);
  Tensor points = torch::zeros({runs, f.dimension()}, torch::kDouble);
  Tensor sum = torch::zeros({runs}, torch::kDouble);
  Tensor moments = torch::zeros({runs}, torch::kDouble);
  const Tensor start = f.at(points).values;
  const Tensor drawn = at::randint(0, f.examples(), {horizon, runs}, generator, at::TensorOptions(at::kLong));
  for (int64_t t = 0; t < horizon; ++t) {
    const RobustRegression::At here = f.at(points);
    sum += here.gradients.square().sum(1);
    moments = at::maximum(moments, here.second_moments);
    points = points - step * f.example_gradients(points, drawn[t]);
  }
  const std::string place = "T = " + std::to_string(horizon);
  SgdAverage average;
  average.horizon = horizon;
  average.step = step;
  average.gradient_norm = sgd_mean(sum / count, place);
  average.telescoped = sgd_mean(sum / count - (start - f.at(points).values) / (step * count), place);
  average.largest_second_moment = moments.max().item<double>();
  return average;
}

std::vector<Claim> sgd_nonconvex_claims(const SgdNonconvexRuns& runs) {
  std::vector<std::string> places;
  std::vector<int64_t> horizons;
  std::vector<double> averages, telescoped;
  double moment = 0;
  for (const SgdAverage& average : runs.averages) {
    horizons.push_back(average.horizon);
    places.push_back(average.gradient_norm.place);
    averages.push_back(average.gradient_norm.value + average.gradient_norm.uncertainty);
    telescoped.push_back(average.telescoped.value + average.telescoped.uncertainty);
    moment = theory::greatest(moment, average.largest_second_moment);
  }
  const theory::StochasticGradient gradient{runs.gradient_bound, moment};
  theory::PredictedSeries bound = theory::sgd_gradient_norm(runs.problem, gradient, 1, {});
  theory::PredictedSeries sharper = bound;
  sharper.quantity = "(1/T) sum_t E ||grad f(w_t)||^2 - (f_0 - E f_T)/(gamma T)";
  for (const SgdAverage& average : runs.averages) {
    bound.values.push_back(theory::best_sgd_gradient_norm(runs.problem, gradient, average.horizon).value);
    sharper.values.push_back(runs.problem.smoothness * average.step * gradient.bound * gradient.bound / 2);
  }
  const double descent_step = 1 / runs.problem.smoothness;
  theory::Prediction too_much = theory::predicted(
      "(1/T) sum_t E ||grad f(w_t)||^2", Relation::at_most,
      theory::gd_gradient_norm(runs.problem, descent_step, {horizons.back()}).values[0], "none");
  return {judged("the average squared gradient norm of SGD is below C sqrt(2 beta (f_0 - f*)/T) at every T "
                 "(upper ends of "
                 "95 % intervals)",
                 bound, averages, places),
          judged("and below what the descent lemma leaves when f_T is known (upper ends)", sharper,
                 telescoped, places),
          judged("stochastic gradients are bounded as assumed",
                 theory::predicted("max_t E ||g||^2", Relation::at_most, gradient.bound * gradient.bound,
                                   "|phi'| <= 3 sqrt(3)/8"),
                 {moment, 0, ""}),
          judged("gradient descent finds a gradient below 2 beta (f_0 - f*)/T",
                 theory::gd_gradient_norm(runs.problem, descent_step, horizons), runs.descent, places),
          judged("the rate of gradient descent for SGD would be too much", too_much,
                 runs.averages.back().gradient_norm, Ruling::fails)};
}

PLUMB_REGISTER(Systems, sgd_nonconvex, SgdNonconvexOptions, make_sgd_nonconvex,
               "S2: SGD on a smooth function that is not convex")

}  // namespace plumb
