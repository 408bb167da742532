/// What a theorem says of one number, and what a measurement makes of it: the only place where the two meet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb::theory {

/// How a measured number stands to a predicted one.
enum class Relation { at_most, at_least, equal };

/// A hypothesis of a theorem with the numbers that decide it on the problem at hand: `measured relation
/// required`.
struct Assumption {
  std::string statement;  // "no two inputs are parallel: max |cos| < 1"
  double measured = 0;
  Relation relation = Relation::at_least;
  double required = 0;

  /// False when either number is NaN. Nothing is allowed for rounding: a requirement that only just holds
  /// must be stated with its allowance.
  bool holds() const;
  /// By what factor the requirement is missed, > 1; 1 when it is met, NaN where a factor means nothing (a
  /// negative number, a NaN), infinity where a zero is asked for or found.
  double shortfall() const;
};

/// `measured <= required`, `measured >= required`, and `measured > 0`, as hypotheses.
Assumption requires_at_most(std::string_view statement, double measured, double required);
Assumption requires_at_least(std::string_view statement, double measured, double required);
Assumption requires_positive(std::string_view statement, double measured);

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
  std::string place;  // where it was taken: "step 12", "width 256"; may be empty
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

enum class Ruling {
  holds,               // the relation is true, and every assumption is
  fails,               // every assumption is true and the relation is not
  undecided,           // the interval of the measurement is too wide to say
  hypotheses_not_met,  // some assumption is false: the theorem says nothing, whatever was measured
};

std::string_view ruling_text(Ruling ruling);

struct Verdict {
  Ruling ruling = Ruling::fails;
  Relation relation = Relation::at_most;
  bool relation_true = false;  // with unmet hypotheses, too: "the rest holds anyway"
  double predicted = 0;        // at the worst place of a series
  double measured = 0;
  double uncertainty = 0;
  /// How far the measurement is on the right side, as a factor: (predicted + rounding)/measured for at_most,
  /// measured/(predicted - rounding) for at_least, so that it is below 1 exactly where the relation is not
  /// true; NaN where a negative number makes a factor meaningless. For `equal` the relative difference; the
  /// absolute one where 0 is predicted.
  double margin = 0;
  std::string place;
  std::vector<Assumption> unmet;

  /// "holds, loose 320 times", "fails at step 12: 1.3 times over", "hypothesis not met: ...".
  std::string text() const;
};

/// A measurement that is NaN never satisfies a relation. A bound is decided by an interval that lies on one
/// side of it, an equality by one that covers the value (holds) or misses it (fails); an interval that covers
/// the value and is as wide as the value itself, or is NaN or infinite, leaves an equality undecided. Throws
/// ContractError for an uncertainty below 0.
Verdict judge(const Prediction& prediction, const Measured& measured);

/// The verdict at the place that is worst for the claim: where it fails most, else where it is undecided,
/// else where it holds with the least margin. `places[i]` says where measured[i] was taken; `uncertainties`
/// as in Measured, empty for numbers that were computed. Throws ContractError when lengths differ or are 0.
Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places, const std::vector<double>& uncertainties = {});

}  // namespace plumb::theory
