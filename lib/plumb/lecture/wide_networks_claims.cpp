#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/lecture/wide_networks.hpp"
#include "plumb/theory/scaling_fit.hpp"
#include "plumb/theory/squared_loss.hpp"

namespace plumb {
namespace {

using theory::PredictedSeries;
using theory::Prediction;
using theory::Relation;
using theory::Ruling;

using WideRuns = std::vector<WideRun>;

/// One claim at many places of many runs.
struct WideSeries {
  PredictedSeries prediction;
  std::vector<double> measured;
  std::vector<std::string> places;

  void add(const PredictedSeries& part, const std::vector<double>& numbers, std::vector<std::string> where) {
    std::vector<double> values = prediction.values;
    std::vector<theory::Assumption> assumptions = prediction.assumptions;
    values.insert(values.end(), part.values.begin(), part.values.end());
    assumptions.insert(assumptions.end(), part.assumptions.begin(), part.assumptions.end());
    prediction = part;
    prediction.values = std::move(values);
    prediction.assumptions = std::move(assumptions);
    measured.insert(measured.end(), numbers.begin(), numbers.end());
    places.insert(places.end(), where.begin(), where.end());
  }
  void add(const Prediction& part, double number, const std::string& where) {
    PredictedSeries one = theory::predicted_series(part.quantity, part.relation, part.source);
    one.values = {part.value};
    one.assumptions = part.assumptions;
    add(one, {number}, {where});
  }
  Claim claim(std::string statement) const {
    return judged(std::move(statement), prediction, measured, places);
  }
};

std::vector<std::string> step_places(const WideRun& run, const std::vector<int64_t>& steps) {
  std::vector<std::string> places;
  for (const int64_t k : steps) places.push_back(fmt::format("{}, step {}", run.place, k));
  return places;
}

std::vector<int64_t> all_steps(const WideRun& run) {
  std::vector<int64_t> steps;
  for (size_t k = 0; k < run.squared_residuals.size(); ++k) steps.push_back(static_cast<int64_t>(k));
  return steps;
}

/// What the theorem concludes, whatever it assumes: its width is out of reach, its conclusions can be
/// measured.
PredictedSeries conclusion(PredictedSeries series) {
  series.assumptions.clear();
  return series;
}

Claim stays_definite_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs)
    series.add(conclusion(theory::kernel_stays_definite(run.setting, run.recorded.size())), run.lambda_min,
               step_places(run, run.recorded));
  return series.claim("Descent stays where the kernel is definite: lambda_min(H(k)) >= lambda_0/2");
}

Claim pl_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs) {
    const double bound =
        theory::slides_pl_constant(theory::SquaredLoss::half_sum, run.setting.lambda0 / 2, run.setting.n);
    PredictedSeries part =
        theory::predicted_series("||grad L||^2 / L", Relation::at_least, "slides; Du et al. 2019, Lemma 3.2");
    part.values.assign(run.recorded.size(), bound);
    series.add(part, run.pl_ratios, step_places(run, run.recorded));
  }
  return series.claim("so that the loss is PL along the run: ||grad L||^2 >= lambda_0 L");
}

Claim residual_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs) {
    std::vector<int64_t> steps = all_steps(run);
    PredictedSeries bound = conclusion(theory::squared_residual(run.setting, steps));
    std::vector<double> measured = run.squared_residuals;
    // At step 0 bound and measurement are the same number, which would hide the margin.
    steps.erase(steps.begin());
    bound.values.erase(bound.values.begin());
    measured.erase(measured.begin());
    series.add(bound, measured, step_places(run, steps));
  }
  return series.claim("The residual contracts: ||r_k||^2 <= (1 - eta lambda_0/2)^k ||r_0||^2 at every step");
}

Claim movement_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs)
    series.add(conclusion(theory::weight_movement(run.setting, run.recorded.size())), run.moved,
               step_places(run, run.recorded));
  return series.claim("No unit moves further than R' = 4 sqrt(n) ||r_0|| / (sqrt(m) lambda_0)");
}

Claim limit_distance_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs)
    series.add(theory::initial_kernel_distance(run.setting), run.limit_distance, run.place);
  return series.claim("The kernel at the start is near its limit at every width (Hoeffding)");
}

/// Of the starts at the largest width.
Claim initially_definite_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs)
    if (run.setting.width == runs.back().setting.width)
      series.add(theory::initial_kernel_definite(run.setting), run.lambda_min.front(), run.place);
  return series.claim(
      "At the largest width, which suffices by the matrix Chernoff inequality, lambda_min(H(0)) >= 3/4 "
      "lambda_0");
}

Claim flips_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs) series.add(run.flip_bound, run.flips, run.place);
  return series.claim(
      "Only pairs (r, i) with |w_r(0).x_i| <= R change sides while no unit moves further than R");
}

Claim drift_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs) {
    theory::WideSetting expected = run.setting;
    // R must not depend on the start: ||r_0||^2 is replaced by a bound of its mean over starts, n (max y_i^2
    // + 1/2).
    const auto n = static_cast<double>(run.setting.n);
    expected.initial_residual = std::sqrt(n * (std::pow(run.setting.largest_target, 2) + 0.5));
    series.add(theory::kernel_drift(expected, theory::movement_radius(expected), run.moved.back()),
               theory::greatest(run.drift), run.place);
  }
  return series.claim("The kernel drifts by less than Lemma 3.2 allows for R', which is vacuous here");
}

Claim theorem_width_claim(const WideRuns& runs) {
  const WideRun& widest = runs.back();
  const std::vector<int64_t> steps{static_cast<int64_t>(widest.squared_residuals.size()) - 1};
  return judged("Theorem 4.1 itself asks for a width and for steps that nobody can afford",
                theory::squared_residual(widest.setting, steps), {widest.squared_residuals.back()},
                step_places(widest, steps), Ruling::hypotheses_not_met);
}

theory::PowerLaw over_width(const WideRuns& runs, const std::function<double(const WideRun&)>& quantity) {
  std::vector<double> widths, numbers;
  for (const WideRun& run : runs) {
    widths.push_back(static_cast<double>(run.setting.width));
    numbers.push_back(quantity(run));
  }
  return theory::fit_power_law(widths, numbers);
}

/// O(m^-1/2) is a bound; at finite widths lower orders bend the line, for which a tenth is allowed.
Claim exponent_claim(std::string statement, std::string_view quantity, const theory::PowerLaw& law,
                     std::string_view source) {
  return judged(std::move(statement), theory::predicted(quantity, Relation::at_most, -0.4, source),
                {law.exponent, law.half_width, fmt::format("{} runs", law.points)});
}

std::vector<Claim> exponent_claims(const WideRuns& runs) {
  const auto drifted = [](const WideRun& run) { return theory::greatest(run.drift); };
  const theory::PowerLaw distance = over_width(runs, [](const WideRun& run) { return run.distance; });
  return {
      exponent_claim("Signs flip at most as m^-1/2", "exponent of flips over m",
                     over_width(runs, [](const WideRun& run) { return run.flips; }),
                     "Du, Zhai, Poczos, Singh 2019, Lemma 3.2 and Cor. 4.1"),
      exponent_claim("The unit that moves furthest moves at most as m^-1/2",
                     "exponent of max_r ||w_r(k) - w_r(0)|| over m",
                     over_width(runs, [](const WideRun& run) { return run.moved.back(); }),
                     "Du, Zhai, Poczos, Singh 2019, Cor. 4.1"),
      exponent_claim("The kernel drifts at most as m^-1/2", "exponent of max_k ||H(k) - H(0)||_F over m",
                     over_width(runs, drifted), "Du, Zhai, Poczos, Singh 2019, Remark 3.1"),
      exponent_claim("and starts as near to its limit", "exponent of ||H(0) - H^inf||_F over m",
                     over_width(runs, [](const WideRun& run) { return run.limit_distance; }),
                     "Du, Zhai, Poczos, Singh 2019, Remark 3.1; entries are means of m independent numbers"),
      judged("All units together move as far at every width: the exponent of ||W - W(0)||_F is 0",
             theory::predicted("|exponent of ||W - W(0)||_F over m|", Relation::at_most, 0.1,
                               "limit of constant kernels; Lee et al. 2019"),
             {std::abs(distance.exponent), distance.half_width, fmt::format("{} runs", distance.points)})};
}

/// Global minima lie near the start: the nearest one of the linearized model at infinite width.
Claim nearest_minimum_claim(const WideRuns& runs) {
  WideSeries series;
  for (const WideRun& run : runs) {
    if (run.setting.width != runs.back().setting.width) continue;
    Prediction prediction = theory::predicted("||W - W(0)||_F", Relation::equal, run.kernel_distance,
                                              "kernel regression; Lee et al. 2019, eq. 8");
    series.add(prediction, run.distance, run.place);
  }
  series.prediction.relative_tolerance = 0.05;
  return series.claim(
      "At the largest width descent ends as far away as the nearest minimum of the limit, "
      "sqrt(r_0^T (H^inf)^-1 r_0), to 5 %");
}

}  // namespace

std::vector<Claim> wide_networks_claims(const std::vector<WideRun>& runs) {
  expects(!runs.empty(), "wide networks: no runs; at least two widths are expected");
  const theory::WideSetting& setting = runs.front().setting;
  std::vector<Claim> claims{judged("The limit kernel H^inf is definite when no two inputs are parallel",
                                   theory::limit_kernel_definite(setting), {setting.lambda0, 0, ""}),
                            limit_distance_claim(runs),
                            initially_definite_claim(runs),
                            stays_definite_claim(runs),
                            pl_claim(runs),
                            residual_claim(runs),
                            movement_claim(runs),
                            nearest_minimum_claim(runs),
                            flips_claim(runs),
                            drift_claim(runs),
                            theorem_width_claim(runs)};
  for (Claim& claim : exponent_claims(runs)) claims.push_back(std::move(claim));
  return claims;
}

}  // namespace plumb
