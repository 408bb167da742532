/// What a theorem says of one number, and what a measurement makes of it: the only place where the two meet.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::theory {

/// How a measured number stands to a predicted one.
enum class Relation { at_most, at_least, equal };

/// What a measurement makes of a claim.
enum class Ruling {
  holds,               // the relation is true, and every assumption is
  fails,               // every assumption is true and the relation is not
  undecided,           // what was measured does not say, of the relation or of an assumption
  hypotheses_not_met,  // some assumption is false: the theorem says nothing, whatever was measured
};

std::string_view ruling_text(Ruling ruling);

/// All that a number may be, ends included; an infinite end bounds nothing. A number is the bounds of itself.
struct Bounds {
  double lower = 0;
  double upper = 0;

  Bounds() = default;
  Bounds(double number) : lower(number), upper(number) {}  // NOLINT(google-explicit-constructor)
  Bounds(double low, double high) : lower(low), upper(high) {}
  friend bool operator==(const Bounds&, const Bounds&) = default;

  /// "5" or "3 .. 5".
  std::string text() const;
};

/// The smaller and the larger of two numbers, or of a list that is not empty; NaN where any of them is,
/// unlike std::min and std::max, which may drop it.
double least(double a, double b);
double greatest(double a, double b);
double least(const std::vector<double>& numbers);
double greatest(const std::vector<double>& numbers);

/// A hypothesis of a theorem with the numbers that decide it on the problem at hand: `measured relation
/// required`.
struct Assumption {
  std::string statement;  // "no two inputs are parallel: max |cos| < 1"
  double measured = 0;
  Relation relation = Relation::at_least;
  double required = 0;
  std::optional<Bounds> range = {};  // of `measured`, where it is not known exactly: a rank, for example

  /// holds, fails, or undecided: a number is NaN, or the range reaches over the requirement. Nothing is
  /// allowed for rounding: a requirement that only just holds must be stated with its allowance.
  Ruling ruling() const;
  bool holds() const { return ruling() == Ruling::holds; }
  /// By what factor the requirement is missed, > 1; 1 when it is met, NaN where a factor means nothing (a
  /// negative number, a NaN, a range), infinity where a zero is asked for or found.
  double shortfall() const;
};

/// `measured <= required`, `measured >= required`, and `measured > 0`, as hypotheses.
Assumption requires_at_most(std::string_view statement, double measured, double required);
Assumption requires_at_least(std::string_view statement, double measured, double required);
Assumption requires_positive(std::string_view statement, double measured);
/// `range >= required` for a number of which bounds are known.
Assumption requires_at_least(std::string_view statement, Bounds range, double required);

/// `quantity relation value`, provided that the assumptions hold.
struct Prediction {
  std::string quantity;  // in formula signs: "lambda_min(G(0))"
  Relation relation = Relation::at_most;
  double value = 0;
  /// What rounding may add, relative to |value|, plus what it may add where the value is 0. Not a margin for
  /// theorems that nearly hold.
  double relative_tolerance = 1e-9;
  double absolute_tolerance = 0;
  std::vector<Assumption> assumptions;
  std::string source;  // "Du, Zhai, Poczos, Singh 2019, Lemma 3.1"
};

/// A measured number with half the width of its 95 % interval; 0 for a number computed, not sampled.
struct Measured {
  double value = 0;
  double uncertainty = 0;
  std::string place = {};            // where it was taken: "step 12", "width 256"; may be empty
  std::optional<Bounds> range = {};  // instead of value and uncertainty: all that the number may be

  /// A number of which bounds are known and nothing else: a rank that is not resolved.
  static Measured within(Bounds range, std::string place = {});
};

/// One prediction along a run: the same claim at every recorded place. The vectors are of equal length.
struct PredictedSeries {
  std::string quantity;
  Relation relation = Relation::at_most;
  std::vector<double> values;
  double relative_tolerance = 1e-9;
  double absolute_tolerance = 0;
  std::vector<Assumption> assumptions;
  std::string source;
};

/// A prediction, or a series without values yet, that has no assumptions so far.
Prediction predicted(std::string_view quantity, Relation relation, double value, std::string_view source);
PredictedSeries predicted_series(std::string_view quantity, Relation relation, std::string_view source);

struct Verdict {
  Ruling ruling = Ruling::fails;
  Relation relation = Relation::at_most;
  bool relation_true = false;  // for certain, and with unmet hypotheses, too: "the rest holds anyway"
  bool relation_false = false;
  double predicted = 0;  // at the worst place of a series
  double measured = 0;   // the lower end of a range
  double uncertainty = 0;
  std::optional<Bounds> range = {};  // where bounds of the number were measured
  /// How far the measurement is on the right side, as a factor: (predicted + rounding)/measured for at_most,
  /// measured/(predicted - rounding) for at_least, so that it is below 1 exactly where the relation is not
  /// true; NaN where a negative number or a range makes a factor meaningless. For `equal` the relative
  /// difference; the absolute one where 0 is predicted.
  double margin = 0;
  std::string place;
  std::vector<Assumption> unmet;       // false for certain
  std::vector<Assumption> unresolved;  // neither true nor false for certain

  /// "holds, loose 320 times", "fails at step 12: 1.3 times over", "undecided: 3 .. 5", "hypothesis not
  /// met: ...".
  std::string text() const;
};

/// Sets all that the number may be, [value - uncertainty, value + uncertainty] or `range`, against what the
/// relation allows with its tolerances: at most v, at least v, or [v - tolerance, v + tolerance].
///   all of it is allowed: holds        none of it is: fails        some of it is: undecided
/// A NaN, measured or predicted, and an interval that is NaN are undecided. An equality is thus confirmed
/// only by an interval that lies within its tolerance: one that covers v and more agrees with other values,
/// too. An assumption that is false for certain overrules this (hypotheses_not_met), and so does one that is
/// undecided (undecided). Throws ContractError for an uncertainty below 0 and a range whose ends are swapped.
Verdict judge(const Prediction& prediction, const Measured& measured);

/// The verdict at the place that is worst for the claim: where it fails most, else where it is undecided (a
/// NaN first), else where it holds with the least margin. Throws ContractError when lengths differ or are 0.
Verdict judge(const PredictedSeries& prediction, const std::vector<Measured>& measured);

/// The same of numbers with where they were taken, and uncertainties as in Measured, empty for numbers that
/// were computed.
Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places, const std::vector<double>& uncertainties = {});

}  // namespace plumb::theory
