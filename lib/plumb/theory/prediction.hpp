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

  /// False when either number is NaN.
  bool holds() const;
  /// By what factor the requirement is missed, >= 1 where both numbers are positive; 1 when it is met.
  double shortfall() const;
};

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

enum class Ruling {
  holds,               // the relation is true, and every assumption is
  fails,               // every assumption is true and the relation is not
  undecided,           // the interval of the measurement reaches over the predicted value
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
  /// How far the measurement is on the right side, as a factor: predicted/measured for at_most, the inverse
  /// for at_least; below 1 on the wrong side; for `equal` the relative difference. NaN where signs forbid it.
  double margin = 0;
  std::string place;
  std::vector<Assumption> unmet;

  /// "holds, loose 320 times", "fails at step 12: 1.3 times over", "hypothesis not met: ...".
  std::string text() const;
};

/// A measurement that is NaN never satisfies a relation.
Verdict judge(const Prediction& prediction, const Measured& measured);

/// The verdict at the place that is worst for the claim. `places[i]` says where measured[i] was taken. Throws
/// ContractError when the lengths differ or are 0.
Verdict judge(const PredictedSeries& prediction, const std::vector<double>& measured,
              const std::vector<std::string>& places);

}  // namespace plumb::theory
