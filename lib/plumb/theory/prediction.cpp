#include "plumb/theory/prediction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr double unbounded = std::numeric_limits<double>::infinity();

/// What rounding may add to the predicted value: nothing to an infinite one, which would satisfy everything.
double allowance(double value, double relative, double absolute) {
  return std::isfinite(value) ? std::abs(value) * relative + absolute : 0;
}

bool satisfies(double measured, Relation relation, double value, double slack) {
  if (measured == value) return true;  // infinities, too, whose difference is NaN
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

/// See Verdict::margin.
double margin_of(double measured, Relation relation, double value, double slack) {
  if (relation == Relation::equal) {
    const double difference = measured == value ? 0 : std::abs(measured - value);
    return value == 0 ? difference : difference / std::abs(value);
  }
  if (measured == value) return 1;
  const double limit = relation == Relation::at_most ? value + slack : value - slack;
  if (!(measured >= 0) || !(limit >= 0)) return undefined;
  return relation == Relation::at_most ? limit / measured : measured / limit;
}

/// How near the claim is to failing at one place, between -1 and 1 for numbers of one sign: larger is worse.
/// Monotone in the margin where that is a factor. A NaN is the worst there is.
double severity(double measured, Relation relation, double value, double slack) {
  if (std::isnan(measured) || std::isnan(value)) return unbounded;
  if (measured == value) return 0;
  const double limit = relation == Relation::at_most    ? value + slack
                       : relation == Relation::at_least ? value - slack
                                                        : value;
  const double excess = relation == Relation::equal     ? std::abs(measured - limit)
                        : relation == Relation::at_most ? measured - limit
                                                        : limit - measured;
  if (!std::isfinite(excess)) return excess > 0 ? 1 : -1;
  return excess / std::max({std::abs(measured), std::abs(limit), slack, std::numeric_limits<double>::min()});
}

std::vector<Assumption> unmet_of(const std::vector<Assumption>& assumptions) {
  std::vector<Assumption> unmet;
  for (const Assumption& assumption : assumptions)
    if (!assumption.holds()) unmet.push_back(assumption);
  return unmet;
}

/// What the measurement alone says, whatever the assumptions.
Ruling ruling_of(const Measured& measured, Relation relation, double value, double slack) {
  const double half = measured.uncertainty;
  const auto true_at = [&](double number, double allowed) {
    return satisfies(number, relation, value, allowed);
  };
  if (half == 0 || std::isnan(measured.value))
    return true_at(measured.value, slack) ? Ruling::holds : Ruling::fails;
  if (!std::isfinite(half)) return Ruling::undecided;
  if (relation == Relation::equal) {
    if (!true_at(measured.value, slack + half)) return Ruling::fails;
    // An interval that cannot tell the value from 0, or from twice itself, would agree with anything.
    return value != 0 && half >= std::abs(value) ? Ruling::undecided : Ruling::holds;
  }
  const bool below = true_at(measured.value - half, slack);
  if (below != true_at(measured.value + half, slack)) return Ruling::undecided;
  return below ? Ruling::holds : Ruling::fails;
}

std::string factor_text(double factor) {
  if (factor > 1 && factor < 1.01) return fmt::format("1 + {:.1e}", factor - 1);
  return factor < 1e6 ? fmt::format("{:.3g}", factor) : fmt::format("{:.1e}", factor);
}

std::string unmet_text(const std::vector<Assumption>& unmet) {
  const double missed = unmet.front().shortfall();
  std::string text = "hypothesis not met: " + unmet.front().statement;
  if (std::isfinite(missed) && missed > 1) text += fmt::format(", missed {} times", factor_text(missed));
  if (unmet.size() > 1) text += fmt::format("; and {} more", unmet.size() - 1);
  return text;
}

}  // namespace

bool Assumption::holds() const { return satisfies(measured, relation, required, 0); }

double Assumption::shortfall() const {
  if (holds()) return 1;
  if (!(measured >= 0) || !(required >= 0)) return undefined;
  const auto [low, high] = std::minmax(measured, required);
  return high / low;
}

Assumption requires_at_most(std::string_view statement, double measured, double required) {
  return {std::string(statement), measured, Relation::at_most, required};
}

Assumption requires_at_least(std::string_view statement, double measured, double required) {
  return {std::string(statement), measured, Relation::at_least, required};
}

Assumption requires_positive(std::string_view statement, double measured) {
  // No number is positive and less.
  return {std::string(statement), measured, Relation::at_least, std::numeric_limits<double>::denorm_min()};
}

Prediction predicted(std::string_view quantity, Relation relation, double value, std::string_view source) {
  Prediction prediction;
  prediction.quantity = quantity;
  prediction.relation = relation;
  prediction.value = value;
  prediction.source = source;
  return prediction;
}

PredictedSeries predicted_series(std::string_view quantity, Relation relation, std::string_view source) {
  PredictedSeries series;
  series.quantity = quantity;
  series.relation = relation;
  series.source = source;
  return series;
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
  expects(!(measured.uncertainty < 0), "uncertainty of {}: {}; at least 0 is expected", prediction.quantity,
          measured.uncertainty);
  const double slack =
      allowance(prediction.value, prediction.relative_tolerance, prediction.absolute_tolerance);
  const Ruling ruling = ruling_of(measured, prediction.relation, prediction.value, slack);
  const bool covered = prediction.relation == Relation::equal && ruling == Ruling::holds;
  Verdict verdict;
  verdict.relation = prediction.relation;
  verdict.relation_true = covered || satisfies(measured.value, prediction.relation, prediction.value, slack);
  verdict.predicted = prediction.value;
  verdict.measured = measured.value;
  verdict.uncertainty = measured.uncertainty;
  verdict.margin = margin_of(measured.value, prediction.relation, prediction.value, slack);
  verdict.place = measured.place;
  verdict.unmet = unmet_of(prediction.assumptions);
  verdict.ruling = verdict.unmet.empty() ? ruling : Ruling::hypotheses_not_met;
  return verdict;
}

Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places, const std::vector<double>& uncertainties) {
  expects(!measured.empty() && measured.size() == prediction.values.size() &&
              places.size() == measured.size() &&
              (uncertainties.empty() || uncertainties.size() == measured.size()),
          "a series is judged place by place; got {} predictions, {} measurements, {} places and {} "
          "uncertainties",
          prediction.values.size(), measured.size(), places.size(), uncertainties.size());
  size_t worst = 0;
  double worst_severity = -unbounded;
  for (size_t i = 0; i < measured.size(); ++i) {
    const double value = prediction.values[i];
    const double slack = allowance(value, prediction.relative_tolerance, prediction.absolute_tolerance);
    const Measured here{measured[i], uncertainties.empty() ? 0 : uncertainties[i], places[i]};
    const Ruling ruling = ruling_of(here, prediction.relation, value, slack);
    // A place where the claim fails is worse than any where it is undecided, and that than any where it
    // holds.
    const double rank = ruling == Ruling::fails ? 20 : ruling == Ruling::undecided ? 10 : 0;
    const double here_severity = rank + severity(here.value, prediction.relation, value, slack);
    if (here_severity > worst_severity) {
      worst = i;
      worst_severity = here_severity;
    }
  }
  return judge(Prediction{prediction.quantity, prediction.relation, prediction.values[worst],
                          prediction.relative_tolerance, prediction.absolute_tolerance,
                          prediction.assumptions, prediction.source},
               Measured{measured[worst], uncertainties.empty() ? 0 : uncertainties[worst], places[worst]});
}

std::string Verdict::text() const {
  const std::string at = place.empty() ? "" : fmt::format(" at {}", place);
  const bool factor = relation != Relation::equal && std::isfinite(margin) && margin > 0;
  switch (ruling) {
    case Ruling::undecided:
      return fmt::format("undecided: the interval is too wide{}", at);
    case Ruling::hypotheses_not_met:
      return unmet_text(unmet) +
             (relation_true ? "; the relation is true all the same" : "; the relation is not true");
    case Ruling::fails:
      return factor ? fmt::format("fails{}: {} times over", at, factor_text(1 / margin))
                    : fmt::format("fails{}", at);
    case Ruling::holds:
      if (margin == (relation == Relation::equal ? 0 : 1))
        return relation == Relation::equal ? "holds exactly" + at : "holds with equality" + at;
      if (relation == Relation::equal)
        return fmt::format("holds to {:.1e}{}{}", margin, predicted == 0 ? " absolutely" : "", at);
      if (!factor) return "holds" + at;
      return margin < 3 ? fmt::format("holds, {} times over{}", factor_text(margin), at)
                        : fmt::format("holds, loose {} times{}", factor_text(margin), at);
  }
  return "";
}

}  // namespace plumb::theory
