// Oracle: descent on componentwise quadratic maps, whose Jacobian on a ball is known, and derivatives by
// autograd.
#include "plumb/theory/nonlinear_least_squares.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

/// f_i(w) = s_i w_i + curvature/2 w_i^2 from w = 0: J = diag(s_i + curvature w_i).
struct DiagonalRun {
  std::vector<double> squared, trade, distance, loss;
  std::vector<std::string> places;
  std::vector<int64_t> steps;
  double path = 0;
  double initial_residual = 0;
  Tensor end;

  DiagonalRun(const Tensor& scales, double curvature, const Tensor& targets, double step, int64_t count,
              double alpha) {
    Tensor w = torch::zeros_like(targets);
    for (int64_t t = 0; t < count; ++t) {
      const Tensor residual = scales * w + curvature / 2 * w.square() - targets;
      const double norm = residual.norm().item<double>();
      if (t == 0) initial_residual = norm;
      squared.push_back(norm * norm);
      loss.push_back(norm * norm / 2);
      distance.push_back(w.norm().item<double>());
      trade.push_back(alpha / 4 * distance.back() + norm);
      steps.push_back(t);
      places.push_back("step " + std::to_string(t));
      const Tensor move = -step * (scales + curvature * w) * residual;
      path += move.norm().item<double>();
      w = w + move;
    }
    end = w;
  }
};

Tensor row_of(std::vector<double> values) { return torch::tensor(values, torch::kDouble); }

/// Curvature 0.01 and a residual of norm 1: on the ball of radius 4.2, 1 +- 0.042 bounds J.
LocalJacobian gentle() {
  LocalJacobian local{0.958, 1.042, 0.01, 1, 0};
  local.step = short_path_step(local);
  return local;
}

}  // namespace

TEST_CASE("the step and the radius of the short path are the paper's formulas", "[theory][path]") {
  const LocalJacobian local{2, 3, 0.5, 40, 0};
  CHECK(short_path_step(local) == Approx(4.0 / (0.5 * 40) / 18));
  CHECK(short_path_step({2, 3, 0, 40, 0}) == Approx(1.0 / 18));
  CHECK(short_path_radius(local) == Approx(80));
  CHECK(short_path_radius(gentle()) < 4.2);
}

TEST_CASE("all inequalities of Oymak and Soltanolkotabi hold on a curved map within its ball",
          "[theory][path]") {
  const LocalJacobian local = gentle();
  const DiagonalRun run(torch::ones({2}, torch::kDouble), 0.01, row_of({0.6, -0.8}), local.step, 60,
                        local.alpha);
  CHECK(judge(short_path_loss(local, run.steps), run.squared, run.places).ruling == Ruling::holds);
  CHECK(judge(short_path_trade(local, 60), run.trade, run.places).ruling == Ruling::holds);
  CHECK(judge(short_path_length(local), {run.path, 0, ""}).ruling == Ruling::holds);
  const double moved = run.end.norm().item<double>();
  CHECK(judge(distance_to_solutions(local), {moved, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(near_nearest_solution(local, moved), {moved, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(straightness(run.path), {moved, 0, ""}).ruling == Ruling::holds);

  CHECK(judge(short_path_length(local), {4.5, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(distance_to_solutions(local), {0.9, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(near_nearest_solution(local, moved), {5 * moved, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(straightness(run.path), {1.01 * run.path, 0, ""}).ruling == Ruling::fails);
  const std::vector<double> stuck(60, 1.0);
  CHECK(judge(short_path_loss(local, run.steps), stuck, run.places).ruling == Ruling::fails);
  std::vector<double> detour = run.trade;
  detour[9] = 1.1;
  CHECK(judge(short_path_trade(local, 60), detour, run.places).place == "step 9");
}

TEST_CASE("on a linear isometry the path bound is loose by exactly 4 and the others are reached",
          "[theory][path]") {
  const LocalJacobian local{1, 1, 0, 1, 0.01};
  const DiagonalRun run(torch::ones({2}, torch::kDouble), 0, row_of({0.6, -0.8}), 0.01, 3000, 1);
  CHECK(judge(short_path_length(local), {run.path, 0, ""}).margin == Approx(4));
  CHECK(judge(distance_to_solutions(local), {run.end.norm().item<double>(), 0, ""}).margin ==
        Approx(1).epsilon(1e-8));
  CHECK(judge(short_path_trade(local, 3000), run.trade, run.places).margin == Approx(1));
  CHECK(judge(straightness(run.path), {run.end.norm().item<double>(), 0, ""}).margin == Approx(1));
  // The squared residual falls by (1 - eta)^2 a step where the theorem states 1 - eta/2.
  CHECK(std::log(run.squared[100]) / std::log(short_path_loss(local, {100}).values[0]) ==
        Approx(4).epsilon(0.01));
}

TEST_CASE("a Jacobian, a step or a rank outside the hypotheses is named", "[theory][path]") {
  const auto first_unmet = [](const LocalJacobian& local) {
    const Verdict verdict = judge(short_path_length(local), {0.1, 0, ""});
    CHECK(verdict.ruling == Ruling::hypotheses_not_met);
    return verdict.unmet.empty() ? "" : verdict.unmet.front().statement;
  };
  LocalJacobian local = gentle();
  local.step *= 1.01;
  CHECK_THAT(first_unmet(local), ContainsSubstring("step is short"));
  local = gentle();
  local.observed_smallest = 0.9 * local.alpha;
  CHECK_THAT(first_unmet(local), ContainsSubstring("sigma_min"));
  local = gentle();
  local.observed_norm = 1.1 * local.beta;
  CHECK_THAT(first_unmet(local), ContainsSubstring("||J|| <= beta"));
  local = gentle();
  local.alpha = 0;
  CHECK_THAT(first_unmet(local), ContainsSubstring("full rank"));
}

TEST_CASE("the least displacement is that of the pseudo-inverse, singular kernel or not", "[theory][path]") {
  at::Generator generator = Seed(31).stream("displacement");
  for (const int64_t p : {int64_t{9}, int64_t{3}}) {
    const Tensor j = torch::randn({5, p}, generator, torch::kDouble);
    const Tensor residual = at::mv(j, torch::randn({p}, generator, torch::kDouble));
    const double expected = at::mv(at::linalg_pinv(j), residual).norm().item<double>();
    CHECK(least_displacement(at::mm(j, j.t()), residual) == Approx(expected));
  }
  CHECK_THROWS_AS(least_displacement(torch::eye(3, torch::kDouble), torch::ones({2}, torch::kDouble)),
                  ContractError);
}

TEST_CASE("PL* bounds hold on a curved map and are loose by known factors on an isometry",
          "[theory][plstar]") {
  PlStar problem{0.9, 1.05, 0.01, 1, 0};
  problem.step = pl_star_step(problem);
  CHECK(problem.step == Approx(1 / (1.1025 + 0.01)));
  const DiagonalRun run(torch::ones({2}, torch::kDouble), 0.01, row_of({0.6, -0.8}), problem.step, 30, 1);
  CHECK(judge(pl_star_loss(problem, run.steps), run.loss, run.places).ruling == Ruling::holds);
  CHECK(judge(pl_star_distance(problem), {run.distance.back(), 0, ""}).ruling == Ruling::holds);
  CHECK(judge(pl_star_path(problem), {run.path, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(pl_star_distance(problem), {2.4, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(pl_star_path(problem), {2.4, 0, ""}).ruling == Ruling::fails);
  const std::vector<double> stuck(30, 0.5);
  CHECK(judge(pl_star_loss(problem, run.steps), stuck, run.places).ruling == Ruling::fails);

  const PlStar isometry{1, 1, 0, 1, 0.01};
  const DiagonalRun straight(torch::ones({2}, torch::kDouble), 0, row_of({0.6, -0.8}), 0.01, 3000, 1);
  CHECK(judge(pl_star_distance(isometry), {straight.distance.back(), 0, ""}).margin ==
        Approx(2).epsilon(1e-8));
  CHECK(judge(pl_star_path(isometry), {straight.path, 0, ""}).margin == Approx(2));
  CHECK(std::log(straight.loss[100] / 0.5) / std::log(pl_star_loss(isometry, {100}).values[0] / 0.5) ==
        Approx(2));
}

TEST_CASE("PL* says nothing for steps too long and kernels that fall below mu", "[theory][plstar]") {
  PlStar problem{0.9, 1.05, 0.01, 1, 0.95};
  CHECK(judge(pl_star_path(problem), {1, 0, ""}).ruling == Ruling::hypotheses_not_met);
  problem.step = 0.5;
  CHECK(judge(pl_star_path(problem), {1, 0, ""}).ruling == Ruling::holds);
  problem.observed_smallest = 0.8;
  CHECK(judge(pl_star_path(problem), {1, 0, ""}).ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("the Hessian norm that keeps the kernel conditioned is nearly the largest that does",
          "[theory][plstar]") {
  // One example: K(w) = (1 + c w)^2, at worst (1 - c R)^2 on the ball.
  const double mu = 0.98;
  PlStar problem{mu, 1.0101, 0.01, 1, 0.1};
  const double radius = pl_star_radius(problem);
  const double allowed = allowed_hessian_norm(problem, 1, 1);
  const double exact = (1 - std::sqrt(mu)) / radius;
  CHECK(allowed < exact);
  CHECK(allowed == Approx(exact).epsilon(0.02));
  const auto measured = [&](double curvature) { return std::pow(1 - curvature * radius, 2); };
  const Prediction within = kernel_stays_conditioned(problem, 1, 1, allowed);
  CHECK(judge(within, {measured(allowed), 0, ""}).ruling == Ruling::holds);
  CHECK(judge(within, {0.97, 0, ""}).ruling == Ruling::fails);
  const Verdict beyond =
      judge(kernel_stays_conditioned(problem, 1, 1, 2 * allowed), {measured(2 * allowed), 0, ""});
  CHECK(beyond.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(beyond.relation_true);
}

TEST_CASE("the Hessian of a hidden layer has the norm of its largest block", "[theory][plstar]") {
  at::Generator generator = Seed(32).stream("hessian");
  const int64_t m = 5;
  const Tensor x = torch::randn({4, 3}, generator, torch::kDouble);
  const Tensor a = torch::randn({m}, generator, torch::kDouble);
  const Tensor w = torch::randn({m, 3}, generator, torch::kDouble).requires_grad_(true);
  double largest = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const Tensor output = at::dot(at::mv(w, x[i]).tanh(), a) / std::sqrt(static_cast<double>(m));
    const Tensor gradient = torch::autograd::grad({output}, {w}, {}, true, true)[0].reshape({-1});
    std::vector<Tensor> rows;
    for (int64_t j = 0; j < gradient.size(0); ++j)
      rows.push_back(torch::autograd::grad({gradient[j]}, {w}, {}, true)[0].reshape({-1}));
    largest = std::max(largest, at::linalg_eigvalsh(torch::stack(rows)).abs().max().item<double>());
  }
  const Tensor t = at::mm(x, w.detach().t()).tanh();
  const Prediction norm = hidden_layer_hessian_norm(x, -2 * t * (1 - t * t), a);
  CHECK(judge(norm, {largest, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(norm, {1.001 * largest, 0, ""}).ruling == Ruling::fails);
}

TEST_CASE("the bounds on a hidden layer's Jacobian hold, and simple activations reach them",
          "[theory][path]") {
  at::Generator generator = Seed(33).stream("bounds");
  const int64_t m = 6;
  const Tensor x = torch::randn({4, 3}, generator, torch::kDouble);
  const Tensor a = torch::randn({m}, generator, torch::kDouble);
  const auto jacobian = [&](const Tensor& inputs, const Tensor& slopes, const Tensor& outputs) {
    return ((slopes * outputs).unsqueeze(2) * inputs.unsqueeze(1)).reshape({inputs.size(0), -1}) /
           std::sqrt(static_cast<double>(outputs.size(0)));
  };
  const auto norm = [](const Tensor& j) { return at::linalg_svdvals(j)[0].item<double>(); };
  // tanh: |phi'| <= 1, |phi''| <= 4/(3 sqrt 3).
  const HiddenLayerBounds bounds =
      hidden_layer_bounds(x, m, a.abs().max().item<double>(), 1, 4 / (3 * std::sqrt(3.0)));
  for (int i = 0; i < 20; ++i) {
    const Tensor w = torch::randn({m, 3}, generator, torch::kDouble);
    const Tensor v = w + 0.1 * torch::randn({m, 3}, generator, torch::kDouble);
    const auto slopes = [&](const Tensor& weights) { return 1 - at::mm(x, weights.t()).tanh().square(); };
    CHECK(norm(jacobian(x, slopes(w), a)) <= bounds.norm);
    CHECK(norm(jacobian(x, slopes(w) - slopes(v), a)) <= bounds.lipschitz * (w - v).norm().item<double>());
  }
  const Tensor signs = torch::ones({m}, torch::kDouble);
  CHECK(norm(jacobian(x, torch::ones({4, m}, torch::kDouble), signs)) ==
        Approx(hidden_layer_bounds(x, m, 1, 1, 0).norm));
  // phi(z) = z^2/2, one unit, one example, moved along the example by 1.
  const Tensor one = x.slice(0, 0, 1);
  const double moved = norm(jacobian(one, one.norm().reshape({1, 1}), torch::ones({1}, torch::kDouble)));
  CHECK(moved == Approx(hidden_layer_bounds(one, 1, 1, 1, 1).lipschitz));
}

TEST_CASE("Gaussian Jacobians are conditioned as well as is claimed", "[theory][plstar]") {
  at::Generator generator = Seed(34).stream("gaussian");
  for (const auto& [n, p] : {std::pair{6, 6}, {6, 9}, {6, 60}}) {
    std::vector<double> logs;
    for (int i = 0; i < 400; ++i) {
      const Tensor s = at::linalg_svdvals(torch::randn({n, p}, generator, torch::kDouble));
      logs.push_back(2 * std::log((s[0] / s[n - 1]).item<double>()));
    }
    const Tensor sample = row_of(logs);
    const Measured measured{sample.mean().item<double>(), 2 * sample.std().item<double>() / 20, ""};
    CHECK(judge(gaussian_conditioning(n, p), measured).ruling == Ruling::holds);
    CHECK(judge(gaussian_conditioning(n, p), {measured.value + 10, measured.uncertainty, ""}).ruling ==
          Ruling::fails);
  }
  CHECK(gaussian_conditioning(10, 10).value == Approx(2 * std::log(10) + 5));
  CHECK_THROWS_AS(gaussian_conditioning(3, 2), ContractError);
}
