#include "plumb/lecture/shortest_path.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

namespace plumb {
namespace {

using theory::Relation;
using theory::Ruling;

struct ShortestPathOptions {
  int64_t examples = 10;
  int64_t dimension = 40;
  int64_t width = 4096;
  int64_t narrow_width = 16;
  double label_norm = 0.3;
  int64_t steps = 2000;
  int64_t draws = 200;

  void fields(Fields& f) {
    f.field("examples", examples, "n, unit vectors, no more than the dimension", positive);
    f.field("dimension", dimension, "of the inputs", positive);
    f.field("width", width, "hidden units of the wide network, even", positive);
    f.field("narrow_width", narrow_width, "of the one too narrow for the theorem, even", positive);
    f.field("label_norm", label_norm, "||y||, the residual at the start", positive);
    f.field("steps", steps, "of gradient descent at most", positive);
    f.field("draws", draws, "of Gaussian Jacobians, at least 2", positive);
  }
};

Tensor path_gaussian(std::vector<int64_t> shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// The hypothesis that the theorem makes of the whole ball, not only of the run.
theory::Assumption holds_on_ball(const ShortPathRun& run) {
  return theory::requires_at_least(
      "sigma_min(J) >= alpha on the whole ball: sigma_min(J(w_0)) - lipschitz R >= alpha",
      run.sigma_start - run.local.lipschitz * theory::short_path_radius(run.local),
      run.local.alpha * (1 - 1e-9));
}

template <class P>
P on_ball(P prediction, const ShortPathRun& run) {
  prediction.assumptions.push_back(holds_on_ball(run));
  return prediction;
}

std::vector<std::string> path_places(const ShortPathRun& run) {
  std::vector<std::string> places;
  for (const int64_t step : run.steps) places.push_back("step " + std::to_string(step));
  return places;
}

/// The inequalities (1) to (3), at every recorded step.
std::vector<Claim> short_path_claims(const ShortPathRun& run, Ruling expected, const std::string& which) {
  std::vector<double> squares, trades;
  for (size_t i = 0; i < run.steps.size(); ++i) {
    squares.push_back(run.residuals[i] * run.residuals[i]);
    trades.push_back(run.local.alpha / 4 * run.displacements[i] + run.residuals[i]);
  }
  return {judged("the loss falls by 1 - eta alpha^2/2 a step or more" + which,
                 on_ball(theory::short_path_loss(run.local, run.steps), run), squares, path_places(run),
                 expected),
          judged("distance is paid for by residual: alpha/4 ||w_t - w_0|| + ||r_t|| <= ||r_0||" + which,
                 on_ball(theory::short_path_trade(run.local, run.steps.size()), run), trades,
                 path_places(run), expected),
          judged("the path is no longer than 4 ||r_0||/alpha" + which,
                 on_ball(theory::short_path_length(run.local), run), {run.path, 0, ""}, expected)};
}

theory::Prediction close_to(const char* quantity, double value, double tolerance, const char* source) {
  theory::Prediction prediction = theory::predicted(quantity, Relation::equal, value, source);
  prediction.relative_tolerance = tolerance;
  return prediction;
}

std::vector<Claim> distance_claims(const ShortPathRun& run) {
  const double end = run.displacements.back();
  theory::Prediction conditions = close_to("error of its conditions", 0, 0, "Lagrange's conditions");
  conditions.absolute_tolerance = 1e-9;
  return {
      judged("successive projections find a solution whose distance from w_0 is stationary", conditions,
             {run.nearest_error, 0, ""}),
      judged("no solution is nearer than ||r_0||/beta", theory::distance_to_solutions(run.local),
             {run.nearest, 0, ""}),
      judged("gradient descent ends within 4 beta/alpha of the distance of that solution",
             on_ball(theory::near_nearest_solution(run.local, run.nearest), run), {end, 0, ""}),
      judged("in fact it ends at the same distance, to 1 %",
             close_to("||w_end - w_0|| / ||w* - w_0||", 1, 0.01, "linear models end at the nearest"),
             {end / run.nearest, 0, ""}),
      judged("which is that of the linearized model, to 1 %",
             close_to("||w_end - w_0||", run.linear_displacement, 0.01, "sqrt(r_0^T G(0)^-1 r_0)"),
             {end, 0, ""}),
      judged("the path is nearly straight: at least 3/4 of its length is displacement",
             theory::predicted("||w_end - w_0|| / path", Relation::at_least, 0.75, "observed, no theorem"),
             {end / run.path, 0, ""}),
      judged("and no longer displacement than path", theory::straightness(run.path), {end, 0, ""})};
}

std::vector<Claim> pl_star_claims(const ShortPathRun& run) {
  theory::PlStar star;
  star.mu = run.local.alpha * run.local.alpha;
  star.lipschitz = run.local.beta;
  star.smoothness = run.local.lipschitz;
  star.initial_residual = run.local.initial_residual;
  star.step = std::min(run.local.step, theory::pl_star_step(star));
  star.observed_smallest = run.local.observed_smallest * run.local.observed_smallest;
  std::vector<double> losses;
  for (const double residual : run.residuals) losses.push_back(residual * residual / 2);
  const double lambda0 = run.sigma_start * run.sigma_start;
  theory::PlStar half = star;
  half.mu = lambda0 / 2;
  const theory::HiddenLayerBounds bounds{run.local.beta, run.local.lipschitz};
  return {judged("PL*: the loss falls by 1 - eta mu a step or more, mu = alpha^2",
                 on_ball(theory::pl_star_loss(star, run.steps), run), losses, path_places(run)),
          judged("PL*: descent stays within 2 L_F ||r_0||/mu", on_ball(theory::pl_star_distance(star), run),
                 {theory::greatest(run.displacements), 0, ""}),
          judged("PL*: its path is no longer than 2 ||r_0||/sqrt mu",
                 on_ball(theory::pl_star_path(star), run), {run.path, 0, ""}),
          judged("that the Hessian alone keeps the kernel above half of its start asks for more width",
                 theory::kernel_stays_conditioned(half, lambda0, run.n, bounds.lipschitz / bounds.norm),
                 {star.observed_smallest, 0, ""}, Ruling::hypotheses_not_met)};
}

std::vector<Claim> scaling_claims(const ShortestPathRuns& runs) {
  theory::PredictedSeries exact = theory::predicted_series(
      "max_i ||H_{F_i}||", Relation::equal, "Liu, Zhu, Belkin 2022; the Hessian is block diagonal");
  exact.relative_tolerance = 1e-4;
  std::vector<double> measured;
  std::vector<std::string> places;
  for (const HessianNorm& norm : runs.hessians) {
    exact.values.push_back(norm.exact.value);
    measured.push_back(norm.measured);
    places.push_back(fmt::format("width {:.0f}", norm.width));
  }
  std::vector<Claim> claims{
      judged("the Hessian's norm is max_r |tanh''(w_r.x)| ||x||^2/sqrt m", exact, measured, places),
      judged("it falls as m^-1/2 with the width, 2 % allowed to the exponent",
             close_to("exponent of ||H_F|| in m", -0.5, 0.02, "Liu, Zhu, Belkin 2022"),
             {runs.hessian_law.exponent, runs.hessian_law.half_width, ""})};
  for (const GaussianConditioning& one : runs.gaussians)
    claims.push_back(
        judged(fmt::format("the kernel of a Gaussian Jacobian of {} x {} is well conditioned", one.n, one.p),
               theory::gaussian_conditioning(one.n, one.p), one.log_condition));
  return claims;
}

Figure path_figure(const ShortestPathRuns& runs) {
  const ShortPathRun& run = runs.wide;
  Figure figure;
  figure.name = "shortest_path";
  figure.title = "Residual against distance from the start";
  figure.caption =
      "A line down from the left is a run that pays each bit of distance with residual. The theorem allows "
      "everything under the flat line; the run ends at the distance of the nearest solution.";
  figure.x = {"||w_t - w_0||"};
  figure.y = {"||f(w_t) - y||"};
  Curve bound{"bound: ||r_0|| - alpha/4 distance", {0, run.displacements.back()}, {}, {}};
  for (const double x : bound.x) bound.y.push_back(run.local.initial_residual - run.local.alpha / 4 * x);
  figure.curves = {{"gradient descent", run.displacements, run.residuals, {}},
                   bound,
                   {"nearest solution", {run.nearest}, {0}, {}}};
  return figure;
}

Figure hessian_figure(const ShortestPathRuns& runs) {
  Figure figure;
  figure.name = "shortest_path_hessian";
  figure.title = "Norm of the Hessian of one prediction over the width";
  figure.caption = "By Lanczos on products of automatic differentiation, and the power law fitted.";
  figure.x = {"width m", true};
  figure.y = {"max_i ||H_{F_i}||", true};
  Curve measured{"measured", {}, {}, {}};
  Curve law{fmt::format("fit: m^{:.3f}", runs.hessian_law.exponent), {}, {}, {}};
  for (const HessianNorm& norm : runs.hessians) {
    measured.x.push_back(norm.width);
    measured.y.push_back(norm.measured);
    law.y.push_back(runs.hessian_law.at(norm.width));
  }
  law.x = measured.x;
  figure.curves = {measured, law};
  return figure;
}

class ShortestPath final : public System {
 public:
  explicit ShortestPath(const ShortestPathOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S14", "The shortest path and PL* (Oymak, Soltanolkotabi; Liu, Zhu, Belkin)",
        "Gradient descent on a wide network converges linearly to a global minimum near its start, along "
        "a short path.",
        "With alpha <= sigma_min(J), ||J|| <= beta and J Lipschitz on the ball of radius 4 ||r_0||/alpha: "
        "||r_t||^2 <= (1 - eta alpha^2/2)^t ||r_0||^2, alpha/4 ||w_t - w_0|| + ||r_t|| <= ||r_0||, and a "
        "path of 4 ||r_0||/alpha at most. The Hessian's norm is O(1/sqrt m).",
        "The constants must hold on the whole ball, which is computed here and not assumed: it takes small "
        "labels or great width."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=50", "dimension=200", "width=65536", "draws=1000"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("short path");
    const ShortestPathRuns runs = measure(generator);
    Evidence evidence;
    evidence.setting =
        fmt::format("tanh  n {}  d {}  width {} and {}  ||y|| {}", options_.examples, options_.dimension,
                    options_.width, options_.narrow_width, options_.label_norm);
    evidence.claims = shortest_path_claims(runs);
    evidence.figures = {path_figure(runs), hessian_figure(runs)};
    const ShortPathRun& wide = runs.wide;
    evidence.remarks.push_back(fmt::format(
        "alpha = {:.4f} of sigma_min(J(w_0)) = {:.4f}, beta = {:.3f}; displacement {:.5f}, nearest solution "
        "{:.5f}, path {:.5f}: {:.3f} of it straight.",
        wide.local.alpha, wide.sigma_start, wide.local.beta, wide.displacements.back(), wide.nearest,
        wide.path, wide.displacements.back() / wide.path));
    return evidence;
  }

 private:
  ShortestPathRuns measure(at::Generator& generator) const {
    Tensor inputs = path_gaussian({options_.examples, options_.dimension}, generator);
    inputs = inputs / inputs.norm(2, 1, true);
    Tensor targets = path_gaussian({options_.examples}, generator);
    targets = options_.label_norm * targets / targets.norm();
    ShortestPathRuns runs;
    TanhNetwork network{inputs, {}};
    Tensor start = paired_start(network, options_.width, generator);
    runs.wide = run_short_path(network, start, targets, options_.steps);
    start = paired_start(network, options_.narrow_width, generator);
    runs.narrow = run_short_path(network, start, targets, options_.steps);
    std::vector<double> widths, norms;
    for (int64_t width = 64; width <= 1024; width *= 2) {
      TanhNetwork one{inputs.slice(0, 0, 2), {}};
      const Tensor weights = paired_start(one, width, generator);
      runs.hessians.push_back(hessian_norm(one, weights, generator));
      widths.push_back(runs.hessians.back().width);
      norms.push_back(runs.hessians.back().measured);
    }
    runs.hessian_law = theory::fit_power_law(widths, norms);
    for (const int64_t p : {20, 30, 100})
      runs.gaussians.push_back(gaussian_conditioning_of(20, p, options_.draws, generator));
    return runs;
  }

  ShortestPathOptions options_;
};

std::unique_ptr<System> make_shortest_path(const ShortestPathOptions& options) {
  if (options.examples > options.dimension || options.examples < 2 || options.width % 2 != 0 ||
      options.narrow_width % 2 != 0 || options.draws < 2)
    throw ConfigError(fmt::format(
        "shortest_path: {} examples in dimension {}, widths {} and {}, {} draws; 2 examples or more, no more "
        "than dimensions, even widths and 2 draws or more are expected",
        options.examples, options.dimension, options.width, options.narrow_width, options.draws));
  return std::make_unique<ShortestPath>(options);
}

}  // namespace

std::vector<Claim> shortest_path_claims(const ShortestPathRuns& runs) {
  std::vector<Claim> claims = short_path_claims(runs.wide, Ruling::holds, "");
  const auto append = [&](std::vector<Claim> more) {
    for (Claim& claim : more) claims.push_back(std::move(claim));
  };
  append(distance_claims(runs.wide));
  append(pl_star_claims(runs.wide));
  append(
      short_path_claims(runs.narrow, Ruling::hypotheses_not_met, ", which is not promised at small width"));
  append(scaling_claims(runs));
  return claims;
}

PLUMB_REGISTER(Systems, shortest_path, ShortestPathOptions, make_shortest_path,
               "S14: short paths of gradient descent, PL*, Hessian norm and conditioning over the width")

}  // namespace plumb
