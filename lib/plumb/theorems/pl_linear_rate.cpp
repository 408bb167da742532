// Gradient descent on least squares under the Polyak-Lojasiewicz inequality. For L = c sum_i ||h_i - y_i||^2
// and G = J J^T, J the (n k) x p derivatives of the n k predictions,
//   ||grad L||^2 = 4 c^2 r^T G r >= 4 c lambda_min(G) L,   r = h - y,
// so that mu = 4 c inf lambda_min(G) along a path is a PL constant of it (Liu, Zhu and Belkin 2022),
// and descent with step eta < 2/beta, beta the smoothness, shrinks L by 1 - mu eta (1 - beta eta/2) (Polyak
// 1963; Karimi, Nutini and Schmidt 2016, Thm 1; theory/convergence.hpp).
#include <algorithm>
#include <cmath>
#include <limits>

#include "plumb/theorems/descent_facts.hpp"
#include "plumb/theorems/theorem.hpp"
#include "plumb/theory/convergence.hpp"

namespace plumb {
namespace {

using theory::Assumption;
using theory::PredictedSeries;
using theory::Relation;

struct PlLinearRateOptions : TheoremOptions {};

class PlLinearRate final : public Theorem {
 public:
  explicit PlLinearRate(PlLinearRateOptions options) : options_(std::move(options)) {}

  TheoremText text() const override {
    return {
        "Linear rate of gradient descent on nonlinear least squares",
        "L(w) = c sum_i ||h(w, x_i) - y_i||^2 over the n training examples, J: the derivatives of all "
        "predictions, G = J J^T, beta: the largest eigenvalue of the Hessian of L. Where lambda_min(G) > 0, "
        "L satisfies ||grad L||^2 >= mu L with mu = 4 c lambda_min(G); if this and beta hold along the path "
        "and eta < 2/beta, then L(w_k) <= (1 - mu eta (1 - beta eta/2))^k L(w_0).",
        "Liu, Zhu and Belkin 2022; Karimi, Nutini and Schmidt 2016, Thm 1; Polyak 1963",
        "mu is the smallest and beta the largest value at the recorded states: what lies between them was "
        "not seen. The convention is ||grad L||^2 >= mu L; that of Karimi et al., 1/2 ||grad L||^2 >= mu L, "
        "has half of this mu. A loss that rounding cannot lower any more is allowed."};
  }

  std::vector<ProbeRequest> needs() const override {
    return {options_.request_on_examples("tangent_kernel", "certificate: true, outputs: pairs"),
            options_.request("gradient", "loss_examples: none"), options_.request_on_examples("sharpness")};
  }

  std::vector<Assumption> hypotheses(const RecordedRun& run) const override {
    const DescentFacts facts = descent_facts(run);
    const Along along(*this, run, facts);
    std::vector<Assumption> all = least_squares(facts);
    all.push_back(definite(along));
    std::ranges::copy(facts.gradient_descent, std::back_inserter(all));
    all.push_back(theory::requires_at_most(
        "the step is short: eta <= 2/beta, beta the largest sharpness recorded", facts.step, 2 / along.beta));
    return all;
  }

  std::vector<Claim> claims(const RecordedRun& run) const override {
    const DescentFacts facts = descent_facts(run);
    const Along along(*this, run, facts);
    return {pl_claim(facts, along), rate_claim(facts, along, hypotheses(run))};
  }

 private:
  /// What was recorded, at the steps that all three probes have.
  struct Along {
    Along(const PlLinearRate& theorem, const RecordedRun& run, const DescentFacts& facts)
        : tables({find_probe(run, theorem.needs()[0]), find_probe(run, theorem.needs()[1]),
                  find_probe(run, theorem.needs()[2])}),
          loss(tables.column(1, "loss")),
          gradient_norm(tables.column(1, "gradient_norm")) {
      const double scale = 4 * facts.factor;
      for (const double lambda : tables.column(0, "lambda_min_lower")) mu.push_back(scale * lambda);
      smallest_mu = {theory::least(mu), scale * theory::least(tables.column(0, "lambda_min_upper"))};
      rounding = 64 * facts.rounding * scale * theory::greatest(tables.column(0, "lambda_max"));
      beta = theory::greatest(tables.column(2, "sharpness"));
    }

    JoinedTables tables;
    std::vector<double> loss, gradient_norm;
    std::vector<double> mu;  // 4 c lambda_min(G), no less than which it certainly is
    theory::Bounds smallest_mu;
    double rounding = 0;  // what the network's own arithmetic may do to mu
    double beta = 0;
  };

  std::vector<Assumption> least_squares(const DescentFacts& facts) const {
    return {facts.square_loss, covers_training_set(options_.examples, facts.examples)};
  }
  static Assumption definite(const Along& along) {
    return theory::requires_at_least(
        "the tangent kernel is definite at every recorded state, beyond rounding: mu > 64 u 4 c "
        "lambda_max(G)",
        along.smallest_mu, std::max(along.rounding, std::numeric_limits<double>::min()));
  }

  Claim pl_claim(const DescentFacts& facts, const Along& along) const {
    PredictedSeries series =
        theory::predicted_series("||grad L||^2 / L", Relation::at_least, "Liu, Zhu and Belkin 2022");
    series.assumptions = least_squares(facts);
    series.assumptions.push_back(definite(along));
    series.values = along.mu;
    // The gradient and the kernel are computed in the network's arithmetic.
    series.relative_tolerance = std::sqrt(facts.rounding);
    series.absolute_tolerance = along.rounding;
    std::vector<double> ratios;
    // At a loss of 0 the inequality is 0 >= 0.
    for (size_t i = 0; i < along.loss.size(); ++i)
      ratios.push_back(along.loss[i] == 0 ? std::numeric_limits<double>::infinity()
                                          : std::pow(along.gradient_norm[i], 2) / along.loss[i]);
    Claim claim =
        judged("The loss is PL along the run: ||grad L||^2 >= 4 c lambda_min(G) L at every recorded step",
               series, ratios, along.tables.places());
    claim.series = {"step", along.tables.steps(), ratios, series.values};
    return claim;
  }

  Claim rate_claim(const DescentFacts& facts, const Along& along,
                   const std::vector<Assumption>& assumed) const {
    PredictedSeries series =
        theory::predicted_series("L(w_k)", Relation::at_most, "Karimi, Nutini and Schmidt 2016, Thm 1");
    series.assumptions = assumed;
    const theory::PlProblem problem{.mu = along.smallest_mu.lower,
                                    .convention = theory::PlConvention::slides,
                                    .smoothness = along.beta,
                                    .initial_gap = along.loss.front()};
    const double factor = theory::pl_factor(problem, facts.step);
    series.relative_tolerance = std::sqrt(facts.rounding);
    series.absolute_tolerance = facts.loss_floor(along.loss.front());
    ClaimSeries numbers{"step", {}, {}, {}};
    const std::vector<double>& steps = along.tables.steps();
    std::vector<std::string> places = along.tables.places();
    // At step 0 both sides are the same number, which would hide the margin.
    for (size_t i = steps.size() > 1 ? 1 : 0; i < steps.size(); ++i) {
      numbers.x.push_back(steps[i]);
      numbers.measured.push_back(along.loss[i]);
      numbers.predicted.push_back(std::pow(factor, steps[i]) * along.loss.front());
    }
    places.erase(places.begin(), places.end() - static_cast<std::ptrdiff_t>(numbers.x.size()));
    series.values = numbers.predicted;
    Claim claim = judged(
        "The loss falls at a linear rate: L(w_k) <= (1 - mu eta (1 - beta eta/2))^k L(w_0) at every recorded "
        "step",
        series, numbers.measured, places);
    claim.series = std::move(numbers);
    return claim;
  }

  PlLinearRateOptions options_;
};

std::unique_ptr<Theorem> make_pl_linear_rate(const PlLinearRateOptions& options) {
  return std::make_unique<PlLinearRate>(options);
}

}  // namespace

PLUMB_REGISTER(
    Theorems, pl_linear_rate, PlLinearRateOptions, make_pl_linear_rate,
    "gradient descent on least squares: PL with mu = 4 c lambda_min(J J^T), and the rate that follows (Liu, "
    "Zhu and Belkin 2022)")

}  // namespace plumb
