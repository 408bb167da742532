// The descent lemma: a step of gradient descent on a beta-smooth function lowers it by eta (1 - beta eta/2)
// ||grad||^2 at least (Nesterov 2004, sec. 1.2.3).
#include <algorithm>
#include <cmath>
#include <limits>

#include "plumb/theorems/descent_facts.hpp"
#include "plumb/theorems/theorem.hpp"

namespace plumb {
namespace {

struct DescentLemmaOptions : TheoremOptions {
  DescentLemmaOptions() { cadence.every = 1; }
};

class DescentLemma final : public Theorem {
 public:
  explicit DescentLemma(DescentLemmaOptions options) : options_(std::move(options)) {}

  TheoremText text() const override {
    return {
        "The descent lemma",
        "If L is beta-smooth between w_k and w_{k+1} = w_k - eta grad L(w_k), then L(w_{k+1}) <= L(w_k) - "
        "eta (1 - beta eta/2) ||grad L(w_k)||^2: a step eta < 2/beta lowers L.",
        "Nesterov 2004, sec. 1.2.3",
        "beta is the larger of the two sharpnesses, the largest eigenvalues of the Hessian, at the ends of "
        "the step: what lies between them was not seen. Only steps whose two ends were recorded are judged, "
        "and only above the loss that rounding leaves; with a step beyond 2/beta the lemma allows L to rise. "
        "By default every step is recorded, at the cost of a gradient of the training set and of a sharpness "
        "each."};
  }

  std::vector<ProbeRequest> needs() const override {
    return {options_.request("gradient", "loss_examples: none"), options_.request_on_examples("sharpness")};
  }

  std::vector<theory::Assumption> hypotheses(const RecordedRun& run) const override {
    const DescentFacts facts = descent_facts(run);
    std::vector<theory::Assumption> all = facts.gradient_descent;
    all.push_back(covers_training_set(options_.examples, facts.examples));
    return all;
  }

  std::vector<Claim> claims(const RecordedRun& run) const override {
    const DescentFacts facts = descent_facts(run);
    const JoinedTables tables({find_probe(run, needs()[0]), find_probe(run, needs()[1])});
    const std::vector<double> loss = tables.column(0, "loss"), gradient = tables.column(0, "gradient_norm"),
                              sharpness = tables.column(1, "sharpness"), &steps = tables.steps();
    theory::PredictedSeries series = theory::predicted_series(
        "L(w_{k+1}) / L(w_k)", theory::Relation::at_most, "Nesterov 2004, sec. 1.2.3");
    series.assumptions = hypotheses(run);
    series.relative_tolerance = std::sqrt(facts.rounding);
    ClaimSeries numbers{"step", {}, {}, {}};
    std::vector<std::string> places;
    for (size_t i = 0; i + 1 < steps.size(); ++i) {
      if (steps[i + 1] != steps[i] + 1 || loss[i] <= facts.loss_floor(loss.front())) continue;
      const double beta = theory::greatest(sharpness[i], sharpness[i + 1]);
      numbers.x.push_back(steps[i]);
      numbers.measured.push_back(loss[i + 1] / loss[i]);
      numbers.predicted.push_back(1 - facts.step * (1 - beta * facts.step / 2) * gradient[i] * gradient[i] /
                                          loss[i]);
      places.push_back(fmt::format("step {}", steps[i]));
    }
    if (places.empty()) {
      numbers = {"step", {not_measured}, {not_measured}, {not_measured}};
      places = {"no step of which both ends were recorded"};
    }
    series.values = numbers.predicted;
    Claim claim = judged(
        "Every step lowers the loss by eta (1 - beta eta/2) ||grad L||^2 at least, where both of its ends were "
        "recorded",
        series, numbers.measured, places);
    claim.series = std::move(numbers);
    return {claim};
  }

 private:
  static constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

  DescentLemmaOptions options_;
};

std::unique_ptr<Theorem> make_descent_lemma(const DescentLemmaOptions& options) {
  return std::make_unique<DescentLemma>(options);
}

}  // namespace

PLUMB_REGISTER(Theorems, descent_lemma, DescentLemmaOptions, make_descent_lemma,
               "a step of gradient descent below 2/beta lowers the loss (Nesterov 2004)")

}  // namespace plumb
