#include "plumb/theory/prediction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// What rounding may add to the predicted value.
double allowance(double value, double relative, double absolute) {
  return std::abs(value) * relative + absolute;
}

bool satisfies(double measured, Relation relation, double value, double slack) {
  // Every comparison is false for NaN.
  switch (relation) {
    case Relation::at_most:
      return measured <= value + slack;
    case Relation::at_least:
      return measured >= value - slack;
    case Relation::equal:
      return std::abs(measured - value) <= slack;
  }
  return false;
}

/// As a factor on the right side of the bound; for `equal` the relative difference.
double margin_of(double measured, Relation relation, double value) {
  if (relation == Relation::equal) {
    const double difference = std::abs(measured - value);
    return difference == 0 ? 0 : difference / std::abs(value);
  }
  if (measured == value) return 1;
  if (!(measured >= 0) || !(value >= 0)) return undefined;
  return relation == Relation::at_most ? value / measured : measured / value;
}

/// How near the claim is to failing at one place: larger is worse. A NaN is the worst there is.
double severity(double measured, Relation relation, double value, double slack) {
  if (std::isnan(measured) || std::isnan(value)) return std::numeric_limits<double>::infinity();
  const double excess = relation == Relation::equal     ? std::abs(measured - value)
                        : relation == Relation::at_most ? measured - value
                                                        : value - measured;
  const double scale = std::max({std::abs(measured), std::abs(value), slack});
  return scale == 0 ? 0 : excess / scale;
}

std::vector<Assumption> unmet_of(const std::vector<Assumption>& assumptions) {
  std::vector<Assumption> unmet;
  for (const Assumption& assumption : assumptions)
    if (!assumption.holds()) unmet.push_back(assumption);
  return unmet;
}

Ruling rule(bool relation_true, bool decided, bool assumptions_hold) {
  if (!assumptions_hold) return Ruling::hypotheses_not_met;
  if (!decided) return Ruling::undecided;
  return relation_true ? Ruling::holds : Ruling::fails;
}

std::string factor_text(double factor) {
  return factor < 1e6 ? fmt::format("{:.3g}", factor) : fmt::format("{:.1e}", factor);
}

}  // namespace

bool Assumption::holds() const { return satisfies(measured, relation, required, 0); }

double Assumption::shortfall() const {
  if (holds()) return 1;
  const double margin = margin_of(measured, relation, required);
  return relation == Relation::equal ? margin : 1 / margin;
}

std::string_view ruling_text(Ruling ruling) {
  switch (ruling) {
    case Ruling::holds:
      return "holds";
    case Ruling::fails:
      return "fails";
    case Ruling::undecided:
      return "undecided";
    case Ruling::hypotheses_not_met:
      return "hypotheses not met";
  }
  return "";
}

Verdict judge(const Prediction& prediction, const Measured& measured) {
  const double slack =
      allowance(prediction.value, prediction.relative_tolerance, prediction.absolute_tolerance);
  const auto holds_at = [&](double value) {
    return satisfies(value, prediction.relation, prediction.value, slack);
  };
  Verdict verdict;
  verdict.relation_true = holds_at(measured.value);
  // An equality is settled by an interval that covers the value; a bound, by one that lies on one side of it.
  bool decided = true;
  if (prediction.relation == Relation::equal)
    verdict.relation_true = satisfies(measured.value, Relation::equal, prediction.value,
                                      slack + std::max(0.0, measured.uncertainty));
  else
    decided =
        holds_at(measured.value - measured.uncertainty) == holds_at(measured.value + measured.uncertainty);
  verdict.relation = prediction.relation;
  verdict.predicted = prediction.value;
  verdict.measured = measured.value;
  verdict.uncertainty = measured.uncertainty;
  verdict.margin = margin_of(measured.value, prediction.relation, prediction.value);
  verdict.place = measured.place;
  verdict.unmet = unmet_of(prediction.assumptions);
  verdict.ruling = rule(verdict.relation_true, decided, verdict.unmet.empty());
  return verdict;
}

Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places) {
  expects(
      !measured.empty() && measured.size() == prediction.values.size() && places.size() == measured.size(),
      "a series is judged place by place; got {} predictions, {} measurements and {} places",
      prediction.values.size(), measured.size(), places.size());
  size_t worst = 0;
  double worst_severity = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < measured.size(); ++i) {
    const double slack =
        allowance(prediction.values[i], prediction.relative_tolerance, prediction.absolute_tolerance);
    // A place where the relation fails is worse than any where it holds.
    const double place_severity =
        severity(measured[i], prediction.relation, prediction.values[i], slack) +
        (satisfies(measured[i], prediction.relation, prediction.values[i], slack) ? 0 : 10);
    if (place_severity > worst_severity) {
      worst = i;
      worst_severity = place_severity;
    }
  }
  return judge(Prediction{prediction.quantity, prediction.relation, prediction.values[worst],
                          prediction.relative_tolerance, prediction.absolute_tolerance,
                          prediction.assumptions, prediction.source},
               Measured{measured[worst], 0, places[worst]});
}

std::string Verdict::text() const {
  const std::string at = place.empty() ? "" : fmt::format(" at {}", place);
  const bool factor = relation != Relation::equal && std::isfinite(margin) && margin > 0;
  switch (ruling) {
    case Ruling::undecided:
      return fmt::format("undecided: the interval reaches over the prediction{}", at);
    case Ruling::hypotheses_not_met: {
      const Assumption& first = unmet.front();
      const double missed = first.shortfall();
      return fmt::format(
          "hypothesis not met: {}{}{}", first.statement,
          std::isfinite(missed) && missed > 1 ? fmt::format(", missed {} times", factor_text(missed)) : "",
          relation_true ? "; the relation is true all the same" : "; the relation is not true");
    }
    case Ruling::fails:
      return factor ? fmt::format("fails{}: {} times over", at, factor_text(1 / margin))
                    : fmt::format("fails{}", at);
    case Ruling::holds:
      if (relation == Relation::equal) return fmt::format("holds to {:.1e}{}", margin, at);
      if (!factor) return "holds" + at;
      return margin < 3 ? fmt::format("holds, {} times over{}", factor_text(margin), at)
                        : fmt::format("holds, loose {} times{}", factor_text(margin), at);
  }
  return "";
}

}  // namespace plumb::theory
