// Oracle: descent run on functions whose constants are known in closed form, and moment recursions that need
// no sampling.
#include "plumb/theory/convergence.hpp"

#include <cmath>
#include <functional>

#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

std::vector<std::string> step_names(const std::vector<int64_t>& steps) {
  std::vector<std::string> names;
  for (const int64_t step : steps) names.push_back("step " + std::to_string(step));
  return names;
}

std::vector<int64_t> first_steps(int64_t count) {
  std::vector<int64_t> steps(static_cast<size_t>(count));
  for (size_t i = 0; i < steps.size(); ++i) steps[i] = static_cast<int64_t>(i);
  return steps;
}

/// Values of f at w, w - eta f'(w), ...
std::vector<double> descend(const std::function<double(double)>& f,
                            const std::function<double(double)>& slope, double w, double step,
                            int64_t count) {
  std::vector<double> values;
  for (int64_t k = 0; k < count; ++k) {
    values.push_back(f(w));
    w -= step * slope(w);
  }
  return values;
}

/// x^2 + 3 sin^2 x, whose tight PL constant is 0.17553 in Karimi's convention and beta = 8.
double wavy(double x) { return x * x + 3 * std::sin(x) * std::sin(x); }
double wavy_slope(double x) { return 2 * x + 3 * std::sin(2 * x); }

/// E f after k steps of SGD on mu/2 w^2, f_0 = 1, when E g^2 = C^2 wherever w is: the moment recursion
/// E w_{k+1}^2 = (1 - 2 eta mu) E w_k^2 + eta^2 C^2.
std::vector<double> exact_sgd(double mu, double c, const std::function<double(int64_t)>& step,
                              int64_t count) {
  std::vector<double> values{1};
  for (int64_t k = 0; k < count; ++k)
    values.push_back((1 - 2 * step(k) * mu) * values.back() + mu / 2 * step(k) * step(k) * c * c);
  return values;
}

}  // namespace

TEST_CASE("gradient descent on beta/2 w^2 reaches the PL bound at every step size below 2/beta",
          "[theory][convergence]") {
  const double beta = 3;
  const auto steps = first_steps(20);
  for (const double step : {0.1 / beta, 0.5 / beta, 1.5 / beta}) {
    const auto values =
        descend([&](double w) { return beta / 2 * w * w; }, [&](double w) { return beta * w; }, 2, step, 20);
    const PlProblem problem{beta, PlConvention::karimi, beta, values[0]};
    const Verdict verdict = judge(gd_under_pl(problem, step, steps), values, step_names(steps));
    CHECK(verdict.ruling == Ruling::holds);
    CHECK(verdict.margin == Approx(1).epsilon(1e-8));
  }
}

TEST_CASE("the slides' constant is twice Karimi's and gives the same rate", "[theory][convergence]") {
  const PlProblem slides{0.4, PlConvention::slides, 5, 1};
  const PlProblem karimi{0.2, PlConvention::karimi, 5, 1};
  CHECK(pl_factor(slides, 0.2) == Approx(1 - 0.4 / (2 * 5)));
  CHECK(pl_factor(karimi, 0.2) == Approx(1 - 0.2 / 5));
  CHECK(gd_under_pl(slides, 0.2, {7}).values == gd_under_pl(karimi, 0.2, {7}).values);
}

TEST_CASE("the PL bound holds for a non-convex function and fails with a constant twice too large",
          "[theory][convergence]") {
  // A large start, from which the slow region around |x| = 2.2 is crossed with short steps.
  const double step = 0.02 / 8;
  const auto steps = first_steps(4000);
  const auto values = descend(wavy, wavy_slope, 2.4, step, 4000);
  PlProblem problem{0.17553, PlConvention::karimi, 8, values[0]};
  const auto places = step_names(steps);
  CHECK(judge(gd_under_pl(problem, step, steps), values, places).ruling == Ruling::holds);
  problem.mu = 1.2;
  CHECK(judge(gd_under_pl(problem, step, steps), values, places).ruling == Ruling::fails);
  // The run itself shows that such a constant is not one.
  problem.observed_ratio = 2 * 0.17553;
  CHECK(judge(gd_under_pl(problem, step, steps), values, places).ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("a step beyond 2/beta leaves the theorem, and descent diverges", "[theory][convergence]") {
  const auto steps = first_steps(10);
  const auto values = descend([](double w) { return w * w / 2; }, [](double w) { return w; }, 1, 2.2, 10);
  const Verdict verdict =
      judge(gd_under_pl({1, PlConvention::karimi, 1, values[0]}, 2.2, steps), values, step_names(steps));
  CHECK(verdict.ruling == Ruling::hypotheses_not_met);
  REQUIRE(verdict.unmet.size() == 1);
  CHECK(verdict.unmet[0].shortfall() == Approx(1.1));
}

TEST_CASE("a function without a PL constant, or with one above beta, is no PL problem",
          "[theory][convergence]") {
  CHECK(judge(gd_under_pl({0, PlConvention::karimi, 1, 1}, 1, {1}), {0.5}, {"step 1"}).ruling ==
        Ruling::hypotheses_not_met);
  CHECK(judge(gd_under_pl({1.1, PlConvention::karimi, 1, 1}, 1, {1}), {0}, {"step 1"}).ruling ==
        Ruling::hypotheses_not_met);
}

TEST_CASE("SGD with a constant step comes down to the floor of its PL bound and no lower",
          "[theory][convergence]") {
  const double mu = 0.5;
  const double c = 2;
  const double step = 0.05;
  const auto values = exact_sgd(
      mu, c, [&](int64_t) { return step; }, 1000);
  const auto steps = first_steps(1001);
  const PlProblem problem{mu, PlConvention::karimi, mu, 1};
  const Verdict verdict =
      judge(sgd_under_pl_constant(problem, {c, c * c}, step, steps), values, step_names(steps));
  CHECK(verdict.ruling == Ruling::holds);
  CHECK(verdict.margin == Approx(1).epsilon(1e-8));
  // Noise twice as large as stated: the floor is passed, and the observed moment says why.
  const auto noisier = exact_sgd(
      mu, 2 * c, [&](int64_t) { return step; }, 1000);
  CHECK(judge(sgd_under_pl_constant(problem, {c, 0}, step, steps), noisier, step_names(steps)).ruling ==
        Ruling::fails);
  CHECK(
      judge(sgd_under_pl_constant(problem, {c, 4 * c * c}, step, steps), noisier, step_names(steps)).ruling ==
      Ruling::hypotheses_not_met);
  CHECK(judge(sgd_under_pl_constant(problem, {c, 0}, 1.01 / (2 * mu), steps), values, step_names(steps))
            .ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("SGD with decreasing steps stays under its O(1/k) bound, which is reached as k grows",
          "[theory][convergence]") {
  const double mu = 0.5;
  const double c = 2;
  const PlProblem problem{2 * mu, PlConvention::slides, mu, 1};
  auto values = exact_sgd(
      mu, c, [&](int64_t k) { return decreasing_pl_step(problem, k); }, 20000);
  std::vector<int64_t> steps = first_steps(20001);
  steps.erase(steps.begin());
  values.erase(values.begin());
  const Verdict verdict =
      judge(sgd_under_pl_decreasing(problem, {c, c * c}, steps), values, step_names(steps));
  CHECK(verdict.ruling == Ruling::holds);
  CHECK(verdict.margin == Approx(1).epsilon(1e-3));
  const auto noisier = exact_sgd(
      mu, 2 * c, [&](int64_t k) { return decreasing_pl_step(problem, k); }, 5);
  CHECK(judge(sgd_under_pl_decreasing(problem, {c, 0}, {5}), {noisier[5]}, {"step 5"}).ruling ==
        Ruling::fails);
  CHECK_THROWS_AS(sgd_under_pl_decreasing(problem, {c, 0}, {0}), ContractError);
}

TEST_CASE("the average squared gradient norm of SGD reaches its bound on a quadratic as T grows",
          "[theory][convergence]") {
  const double beta = 2;
  const double c = 1;
  const double step = 0.01;
  const int64_t horizon = 200000;
  const auto values = exact_sgd(
      beta, c, [&](int64_t) { return step; }, horizon);
  double sum = 0;
  std::vector<double> averages;
  for (int64_t t = 0; t < horizon; ++t) {
    sum += 2 * beta * values[static_cast<size_t>(t)];  // ||f'||^2 = 2 beta f
    if (t + 1 == 100 || t + 1 == horizon) averages.push_back(sum / static_cast<double>(t + 1));
  }
  const std::vector<int64_t> horizons{100, horizon};
  const PredictedSeries bound = sgd_gradient_norm({beta, 1}, {c, c * c}, step, horizons);
  const Verdict verdict = judge(bound, averages, step_names(horizons));
  CHECK(verdict.ruling == Ruling::holds);
  CHECK(verdict.margin == Approx(1).epsilon(1e-2));
  for (double& average : averages) average *= 1.02;
  CHECK(judge(bound, averages, step_names(horizons)).ruling == Ruling::fails);
  CHECK(judge(sgd_gradient_norm({beta, 1}, {c, 1.1 * c * c}, step, horizons), averages, step_names(horizons))
            .ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("no step makes the bound on gradient norms smaller than the best one", "[theory][convergence]") {
  const SmoothProblem problem{3, 0.7};
  const StochasticGradient gradient{1.5, 0};
  const int64_t horizon = 400;
  const double best = best_sgd_step(problem, gradient, horizon);
  const double least = best_sgd_gradient_norm(problem, gradient, horizon).value;
  CHECK(sgd_gradient_norm(problem, gradient, best, {horizon}).values[0] == Approx(least));
  for (const double factor : {0.5, 0.9, 1.1, 2.0})
    CHECK(sgd_gradient_norm(problem, gradient, factor * best, {horizon}).values[0] > least);
  CHECK(best_sgd_gradient_norm(problem, gradient, 4 * horizon).value == Approx(least / 2));
}

TEST_CASE("the gradient norm of gradient descent reaches 2 beta (f_0 - f*)/T in one step of a quadratic",
          "[theory][convergence]") {
  const double beta = 4;
  const SmoothProblem problem{beta, beta / 2};
  CHECK(judge(gd_gradient_norm(problem, 1 / beta, {1}), {beta * beta}, {"T = 1"}).margin == Approx(1));
  CHECK(judge(gd_gradient_norm(problem, 1 / beta, {1}), {beta * beta * 1.01}, {"T = 1"}).ruling ==
        Ruling::fails);
  CHECK(gd_gradient_norm(problem, 1 / beta, {10}).values[0] == Approx(2 * beta * (beta / 2) / 10));
  CHECK(judge(gd_gradient_norm(problem, 2.1 / beta, {1}), {1}, {"T = 1"}).ruling ==
        Ruling::hypotheses_not_met);
}

TEST_CASE("gradient norms on a non-convex function stay under the bound", "[theory][convergence]") {
  double x = 5;
  double least = std::numeric_limits<double>::infinity();
  std::vector<double> measured;
  std::vector<int64_t> horizons;
  for (int64_t t = 1; t <= 50; ++t) {
    least = std::min(least, wavy_slope(x) * wavy_slope(x));
    measured.push_back(std::max(least, 1e-25));
    horizons.push_back(t);
    x -= wavy_slope(x) / 8;
  }
  CHECK(judge(gd_gradient_norm({8, wavy(5)}, 1.0 / 8, horizons), measured, step_names(horizons)).ruling ==
        Ruling::holds);
}
