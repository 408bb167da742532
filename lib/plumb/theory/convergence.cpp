#include "plumb/theory/convergence.hpp"

#include <cmath>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

std::vector<Assumption> pl_assumptions(const PlProblem& problem) {
  const double mu = karimi_constant(problem.mu, problem.convention);
  // Any function that is both has mu <= beta, since ||grad f||^2 <= 2 beta (f - f*).
  return {requires_positive("f satisfies a PL inequality: mu > 0", mu),
          requires_at_most("mu is possible for a beta-smooth function: mu <= beta (Karimi's mu)", mu,
                           problem.smoothness),
          requires_at_least("the PL inequality held along the run: min ||grad f||^2/(f - f*) >= 2 mu",
                            problem.observed_ratio, 2 * mu)};
}

void add_descent_step(std::vector<Assumption>& assumptions, double step, double smoothness) {
  assumptions.push_back(requires_positive("the step is positive: eta > 0", step));
  assumptions.push_back(requires_at_most("the step is short: eta <= 2/beta", step, 2 / smoothness));
}

Assumption bounded_gradients(const StochasticGradient& gradient) {
  return requires_at_most("stochastic gradients are bounded: E ||g||^2 <= C^2",
                          gradient.observed_second_moment, gradient.bound * gradient.bound);
}

double sgd_norm_bound(const SmoothProblem& problem, double bound, double step, double horizon) {
  return problem.initial_gap / (step * horizon) + problem.smoothness * step * bound * bound / 2;
}

}  // namespace

double karimi_constant(double mu, PlConvention convention) {
  return convention == PlConvention::slides ? mu / 2 : mu;
}

double pl_factor(const PlProblem& problem, double step) {
  const double mu = karimi_constant(problem.mu, problem.convention);
  return 1 - 2 * mu * step * (1 - problem.smoothness * step / 2);
}

PredictedSeries gd_under_pl(const PlProblem& problem, double step, const std::vector<int64_t>& steps) {
  PredictedSeries series =
      predicted_series("f(w_k) - f*", Relation::at_most, "Karimi, Nutini, Schmidt 2016, Thm 1");
  series.assumptions = pl_assumptions(problem);
  add_descent_step(series.assumptions, step, problem.smoothness);
  const double factor = pl_factor(problem, step);
  for (const int64_t k : steps)
    series.values.push_back(std::pow(factor, static_cast<double>(k)) * problem.initial_gap);
  return series;
}

double decreasing_pl_step(const PlProblem& problem, int64_t k) {
  const auto count = static_cast<double>(k);
  const double mu = karimi_constant(problem.mu, problem.convention);
  return (2 * count + 1) / (2 * mu * (count + 1) * (count + 1));
}

PredictedSeries sgd_under_pl_decreasing(const PlProblem& problem, const StochasticGradient& gradient,
                                        const std::vector<int64_t>& steps) {
  PredictedSeries series =
      predicted_series("E f(w_k) - f*", Relation::at_most, "Karimi, Nutini, Schmidt 2016, Thm 4 (i)");
  series.assumptions = pl_assumptions(problem);
  series.assumptions.push_back(bounded_gradients(gradient));
  const double mu = karimi_constant(problem.mu, problem.convention);
  for (const int64_t k : steps) {
    expects(k >= 1, "step {}: the bound is stated for k >= 1", k);
    series.values.push_back(problem.smoothness * gradient.bound * gradient.bound /
                            (2 * static_cast<double>(k) * mu * mu));
  }
  return series;
}

PredictedSeries sgd_under_pl_constant(const PlProblem& problem, const StochasticGradient& gradient,
                                      double step, const std::vector<int64_t>& steps) {
  PredictedSeries series =
      predicted_series("E f(w_k) - f*", Relation::at_most, "Karimi, Nutini, Schmidt 2016, Thm 4 (ii)");
  series.assumptions = pl_assumptions(problem);
  const double mu = karimi_constant(problem.mu, problem.convention);
  series.assumptions.push_back(requires_positive("the step is positive: eta > 0", step));
  series.assumptions.push_back(
      requires_at_most("the step is short: eta <= 1/(2 mu) (Karimi's mu)", step, 1 / (2 * mu)));
  series.assumptions.push_back(bounded_gradients(gradient));
  const double floor = problem.smoothness * gradient.bound * gradient.bound * step / (4 * mu);
  for (const int64_t k : steps)
    series.values.push_back(std::pow(1 - 2 * mu * step, static_cast<double>(k)) * problem.initial_gap +
                            floor);
  return series;
}

PredictedSeries sgd_gradient_norm(const SmoothProblem& problem, const StochasticGradient& gradient,
                                  double step, const std::vector<int64_t>& horizons) {
  PredictedSeries series = predicted_series("(1/T) sum_t E ||grad f(w_t)||^2", Relation::at_most,
                                            "Ghadimi, Lan 2013, Thm 2.1 (bounded second moment)");
  series.assumptions.push_back(requires_positive("the step is positive: eta > 0", step));
  series.assumptions.push_back(bounded_gradients(gradient));
  for (const int64_t horizon : horizons)
    series.values.push_back(sgd_norm_bound(problem, gradient.bound, step, static_cast<double>(horizon)));
  return series;
}

double best_sgd_step(const SmoothProblem& problem, const StochasticGradient& gradient, int64_t horizon) {
  return std::sqrt(2 * problem.initial_gap / (problem.smoothness * static_cast<double>(horizon))) /
         gradient.bound;
}

Prediction best_sgd_gradient_norm(const SmoothProblem& problem, const StochasticGradient& gradient,
                                  int64_t horizon) {
  Prediction prediction = predicted(
      "min_t E ||grad f(w_t)||^2", Relation::at_most,
      gradient.bound * std::sqrt(2 * problem.smoothness * problem.initial_gap / static_cast<double>(horizon)),
      "Ghadimi, Lan 2013, Cor. 2.2 (bounded second moment)");
  prediction.assumptions.push_back(bounded_gradients(gradient));
  return prediction;
}

PredictedSeries gd_gradient_norm(const SmoothProblem& problem, double step,
                                 const std::vector<int64_t>& horizons) {
  PredictedSeries series =
      predicted_series("min_t ||grad f(w_t)||^2", Relation::at_most, "Nesterov 2004, sec. 1.2.3");
  add_descent_step(series.assumptions, step, problem.smoothness);
  const double decrease = step * (1 - problem.smoothness * step / 2);
  for (const int64_t horizon : horizons)
    series.values.push_back(problem.initial_gap / (decrease * static_cast<double>(horizon)));
  return series;
}

}  // namespace plumb::theory
