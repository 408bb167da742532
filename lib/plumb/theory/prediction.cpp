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

bool is_nan(const Bounds& bounds) { return std::isnan(bounds.lower) || std::isnan(bounds.upper); }

/// All that the number may be; NaN where that is unknown.
Bounds bounds_of(const Measured& measured) {
  if (measured.range) return *measured.range;
  if (measured.uncertainty == 0) return {measured.value, measured.value};
  return {measured.value - measured.uncertainty, measured.value + measured.uncertainty};
}

/// What the relation allows.
Bounds allowed_by(Relation relation, double value, double slack) {
  return {relation == Relation::at_most ? -unbounded : value - slack,
          relation == Relation::at_least ? unbounded : value + slack};
}

Ruling ruling_of(const Bounds& found, Relation relation, double value, double slack) {
  if (is_nan(found) || std::isnan(value)) return Ruling::undecided;
  const Bounds allowed = allowed_by(relation, value, slack);
  if (found.lower >= allowed.lower && found.upper <= allowed.upper) return Ruling::holds;
  if (found.upper < allowed.lower || found.lower > allowed.upper) return Ruling::fails;
  return Ruling::undecided;
}

void expects_bounds(const Measured& measured, const std::string& quantity) {
  expects(!(measured.uncertainty < 0), "uncertainty of {}: {}; at least 0 is expected", quantity,
          measured.uncertainty);
  expects(!measured.range || !(measured.range->lower > measured.range->upper),
          "range of {}: from {} to {}; the lower end first is expected", quantity,
          measured.range ? measured.range->lower : 0, measured.range ? measured.range->upper : 0);
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

/// How near the claim is to failing at one number, between -1 and 1 for numbers of one sign: larger is worse.
/// Monotone in the margin where that is a factor.
double severity_at(double measured, Relation relation, double value, double slack) {
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

/// The same over rulings: a place where the claim fails is worse than any where it is undecided, and that
/// than any where it holds; a NaN is the worst of the undecided.
double severity(const Bounds& found, Relation relation, double value, double slack) {
  const Ruling ruling = ruling_of(found, relation, value, slack);
  const double rank = ruling == Ruling::fails ? 20 : ruling == Ruling::undecided ? 10 : 0;
  if (is_nan(found) || std::isnan(value)) return rank + 5;
  return rank + std::max(severity_at(found.lower, relation, value, slack),
                         severity_at(found.upper, relation, value, slack));
}

std::vector<Assumption> those_that(Ruling ruling, const std::vector<Assumption>& assumptions) {
  std::vector<Assumption> those;
  for (const Assumption& assumption : assumptions)
    if (assumption.ruling() == ruling) those.push_back(assumption);
  return those;
}

std::string factor_text(double factor) {
  if (factor > 1 && factor < 1.01) return fmt::format("1 + {:.1e}", factor - 1);
  return factor < 1e6 ? fmt::format("{:.3g}", factor) : fmt::format("{:.1e}", factor);
}

std::string unmet_text(const std::vector<Assumption>& unmet) {
  const double missed = unmet.front().shortfall();
  std::string text = "hypothesis not met: " + unmet.front().statement;
  if (unmet.front().range) text += ", " + unmet.front().range->text();
  if (std::isfinite(missed) && missed > 1) text += fmt::format(", missed {} times", factor_text(missed));
  if (unmet.size() > 1) text += fmt::format("; and {} more", unmet.size() - 1);
  return text;
}

/// What is unknown about the first of these hypotheses.
std::string unresolved_text(const std::vector<Assumption>& unresolved) {
  const Assumption& first = unresolved.front();
  std::string text = "undecided: hypothesis not resolved: " + first.statement;
  if (first.range && !is_nan(*first.range)) text += ", " + first.range->text();
  if (!first.range) text += ", a number of it is NaN";
  if (unresolved.size() > 1) text += fmt::format("; and {} more", unresolved.size() - 1);
  return text;
}

std::string undecided_text(const Verdict& verdict, const std::string& at) {
  if (!verdict.unresolved.empty()) return unresolved_text(verdict.unresolved);
  if (std::isnan(verdict.predicted)) return "undecided: the prediction is NaN" + at;
  if (verdict.range ? is_nan(*verdict.range) : std::isnan(verdict.measured))
    return "undecided: the measurement is NaN" + at;
  if (verdict.range) return fmt::format("undecided: {}{}", verdict.range->text(), at);
  if (std::isnan(verdict.uncertainty)) return "undecided: the interval is NaN" + at;
  return "undecided: the interval is too wide" + at;
}

}  // namespace

std::string Bounds::text() const {
  return lower == upper ? fmt::format("{:.6g}", lower) : fmt::format("{:.6g} .. {:.6g}", lower, upper);
}

double least(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double greatest(double a, double b) { return std::isnan(a) || a > b ? a : b; }

double least(const std::vector<double>& numbers) {
  expects(!numbers.empty(), "the least of no numbers; at least one is expected");
  double result = numbers.front();
  for (const double number : numbers) result = least(result, number);
  return result;
}

double greatest(const std::vector<double>& numbers) {
  expects(!numbers.empty(), "the greatest of no numbers; at least one is expected");
  double result = numbers.front();
  for (const double number : numbers) result = greatest(result, number);
  return result;
}

Ruling Assumption::ruling() const {
  return ruling_of(range.value_or(Bounds{measured, measured}), relation, required, 0);
}

double Assumption::shortfall() const {
  if (holds()) return 1;
  const bool wide = range && range->lower < range->upper;
  if (wide || !(measured >= 0) || !(required >= 0)) return undefined;
  const auto [low, high] = std::minmax(measured, required);
  return high / low;
}

Measured Measured::within(Bounds range, std::string place) {
  return {range.lower, 0, std::move(place), range};
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

Assumption requires_at_least(std::string_view statement, Bounds range, double required) {
  return {std::string(statement), range.lower, Relation::at_least, required, range};
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
  expects_bounds(measured, prediction.quantity);
  const double slack =
      allowance(prediction.value, prediction.relative_tolerance, prediction.absolute_tolerance);
  const Bounds found = bounds_of(measured);
  const Ruling ruling = ruling_of(found, prediction.relation, prediction.value, slack);
  Verdict verdict;
  verdict.relation = prediction.relation;
  verdict.relation_true = ruling == Ruling::holds;
  verdict.relation_false = ruling == Ruling::fails;
  verdict.predicted = prediction.value;
  verdict.measured = measured.range ? measured.range->lower : measured.value;
  verdict.uncertainty = measured.uncertainty;
  verdict.range = measured.range;
  const bool one_number = !measured.range || found.lower == found.upper;
  verdict.margin =
      one_number ? margin_of(verdict.measured, prediction.relation, prediction.value, slack) : undefined;
  verdict.place = measured.place;
  verdict.unmet = those_that(Ruling::fails, prediction.assumptions);
  verdict.unresolved = those_that(Ruling::undecided, prediction.assumptions);
  verdict.ruling = !verdict.unmet.empty()        ? Ruling::hypotheses_not_met
                   : !verdict.unresolved.empty() ? Ruling::undecided
                                                 : ruling;
  return verdict;
}

Verdict judge(const PredictedSeries& prediction, const std::vector<Measured>& measured) {
  expects(!measured.empty() && measured.size() == prediction.values.size(),
          "a series is judged place by place; got {} predictions and {} measurements",
          prediction.values.size(), measured.size());
  size_t worst = 0;
  double worst_severity = -unbounded;
  for (size_t i = 0; i < measured.size(); ++i) {
    expects_bounds(measured[i], prediction.quantity);
    const double value = prediction.values[i];
    const double slack = allowance(value, prediction.relative_tolerance, prediction.absolute_tolerance);
    const double here = severity(bounds_of(measured[i]), prediction.relation, value, slack);
    if (here > worst_severity) {
      worst = i;
      worst_severity = here;
    }
  }
  return judge(Prediction{prediction.quantity, prediction.relation, prediction.values[worst],
                          prediction.relative_tolerance, prediction.absolute_tolerance,
                          prediction.assumptions, prediction.source},
               measured[worst]);
}

Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places, const std::vector<double>& uncertainties) {
  expects(
      places.size() == measured.size() && (uncertainties.empty() || uncertainties.size() == measured.size()),
      "a series is judged place by place; got {} measurements, {} places and {} uncertainties",
      measured.size(), places.size(), uncertainties.size());
  std::vector<Measured> all;
  for (size_t i = 0; i < measured.size(); ++i)
    all.push_back({measured[i], uncertainties.empty() ? 0 : uncertainties[i], places[i]});
  return judge(prediction, all);
}

std::string Verdict::text() const {
  const std::string at = place.empty() ? "" : fmt::format(" at {}", place);
  const bool factor = relation != Relation::equal && std::isfinite(margin) && margin > 0;
  const bool wide = range && range->lower < range->upper;
  if (wide && (ruling == Ruling::fails || ruling == Ruling::holds))
    return fmt::format("{}: {}{}", ruling_text(ruling), range->text(), at);
  switch (ruling) {
    case Ruling::undecided:
      return undecided_text(*this, at);
    case Ruling::hypotheses_not_met:
      return unmet_text(unmet) + (relation_true    ? "; the relation is true all the same"
                                  : relation_false ? "; the relation is not true"
                                                   : "; whether the relation is true is not resolved");
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
