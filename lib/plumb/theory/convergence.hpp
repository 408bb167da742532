/// Rates of gradient descent and its stochastic form on smooth functions, with and without the
/// Polyak-Lojasiewicz inequality.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "plumb/theory/prediction.hpp"

namespace plumb::theory {

/// Which inequality a PL constant mu belongs to; the constants of the two differ by a factor 2.
enum class PlConvention {
  slides,  // ||grad f||^2 >= mu (f - f*)
  karimi,  // 1/2 ||grad f||^2 >= mu (f - f*)   (Karimi, Nutini, Schmidt 2016, eq. 3)
};

/// The constant of Karimi's inequality: mu itself, or mu/2 when it is that of the slides.
double karimi_constant(double mu, PlConvention convention);

/// A beta-smooth function f that satisfies a PL inequality, and where a run on it starts.
struct PlProblem {
  double mu = 0;
  PlConvention convention = PlConvention::slides;
  double smoothness = 0;   // beta: ||grad f(x) - grad f(y)|| <= beta ||x - y||
  double initial_gap = 0;  // f(w_0) - f*
  /// The smallest ||grad f||^2 / (f - f*) seen on the run, whatever the convention; infinity where nothing
  /// was measured. A run that saw less than mu allows shows that mu is not a PL constant there.
  double observed_ratio = std::numeric_limits<double>::infinity();
};

/// The factor per step by which gradient descent with step eta shrinks f - f*: 1 - 2 mu eta (1 - beta eta/2)
/// with Karimi's mu, for 0 < eta < 2/beta. At eta = 1/beta this is Karimi's 1 - mu/beta (Thm 1), in the
/// slides' convention 1 - mu/(2 beta). Proof: f(w - eta g) <= f - eta (1 - beta eta/2) ||g||^2 by smoothness,
/// and ||g||^2 >= 2 mu (f - f*).
double pl_factor(const PlProblem& problem, double step);

/// f(w_k) - f* <= factor^k (f(w_0) - f*) for gradient descent with a constant step, at the steps k given
/// (Karimi, Nutini, Schmidt 2016, Thm 1). Reached by f = beta/2 ||w||^2.
PredictedSeries gd_under_pl(const PlProblem& problem, double step, const std::vector<int64_t>& steps);

/// A stochastic gradient whose second moment is bounded, E ||g||^2 <= bound^2, on a smooth function.
struct StochasticGradient {
  double bound = 0;  // C of Karimi, L_g of the slides
  /// The largest E ||g||^2 (over the examples) seen on the run; 0 where nothing was measured.
  double observed_second_moment = 0;
};

/// The step of Thm 4 (i): (2 k + 1) / (2 mu (k + 1)^2) at iteration k >= 0, with Karimi's mu.
double decreasing_pl_step(const PlProblem& problem, int64_t k);

/// E f(w_k) - f* <= beta C^2 / (2 k mu^2), mu Karimi's, with the steps above, for k >= 1 (Karimi, Nutini,
/// Schmidt 2016, Thm 4 (i)). Throws ContractError for k < 1.
PredictedSeries sgd_under_pl_decreasing(const PlProblem& problem, const StochasticGradient& gradient,
                                        const std::vector<int64_t>& steps);

/// E f(w_k) - f* <= (1 - 2 mu eta)^k (f(w_0) - f*) + beta C^2 eta / (4 mu), mu Karimi's, with a constant step
/// eta < 1/(2 mu) (Karimi, Nutini, Schmidt 2016, Thm 4 (ii)). Reached in the limit k -> infinity by
/// f = mu/2 w^2 with a second moment of exactly C^2.
PredictedSeries sgd_under_pl_constant(const PlProblem& problem, const StochasticGradient& gradient,
                                      double step, const std::vector<int64_t>& steps);

/// A beta-smooth function that is bounded below, nothing else.
struct SmoothProblem {
  double smoothness = 0;   // beta
  double initial_gap = 0;  // f(w_0) - f*, or more
};

/// (1/T) sum_{t < T} E ||grad f(w_t)||^2 <= (f(w_0) - f*)/(gamma T) + beta gamma C^2/2 with a constant step
/// gamma > 0, at the horizons T given. From the descent lemma E f_{t+1} <= E f_t - gamma E ||grad f||^2 +
/// beta gamma^2 C^2/2, summed (Ghadimi and Lan 2013, Thm 2.1 in this form for a bounded second moment).
PredictedSeries sgd_gradient_norm(const SmoothProblem& problem, const StochasticGradient& gradient,
                                  double step, const std::vector<int64_t>& horizons);

/// The gamma that makes the bound above least: sqrt(2 (f_0 - f*) / (beta C^2 T)).
double best_sgd_step(const SmoothProblem& problem, const StochasticGradient& gradient, int64_t horizon);

/// min_{t < T} E ||grad f(w_t)||^2 <= C sqrt(2 beta (f_0 - f*)/T) with that step: O(1/sqrt T).
Prediction best_sgd_gradient_norm(const SmoothProblem& problem, const StochasticGradient& gradient,
                                  int64_t horizon);

/// min_{t < T} ||grad f(w_t)||^2 <= (f_0 - f*) / (T eta (1 - beta eta/2)) for gradient descent with a
/// constant step eta < 2/beta; 2 beta (f_0 - f*)/T at eta = 1/beta (Nesterov 2004, sec. 1.2.3). Reached at T
/// = 1 by f = beta/2 ||w||^2.
PredictedSeries gd_gradient_norm(const SmoothProblem& problem, double step,
                                 const std::vector<int64_t>& horizons);

}  // namespace plumb::theory
