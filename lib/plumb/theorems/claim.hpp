/// A claim that a theorem makes of what was measured, with its verdict.
#pragma once

#include <string>
#include <vector>

#include "plumb/theory/prediction.hpp"

namespace plumb {

/// The numbers behind a claim, so that they can be plotted again: measured[i] against predicted[i] at x[i].
struct ClaimSeries {
  std::string over = "step";  // what x counts
  std::vector<double> x, measured, predicted;
};

/// One line of a table of verdicts.
struct Claim {
  std::string statement;  // in words, complete: it must make sense alone
  std::string quantity;   // in formula signs
  theory::Verdict verdict;
  /// What should come out: `holds` for theorems, `fails` for the counterexamples to what is too much, and
  /// `hypotheses_not_met` for conditions nobody can afford.
  theory::Ruling expected = theory::Ruling::holds;
  std::string source;
  ClaimSeries series = {};  // empty for a claim about one number

  bool as_expected() const { return verdict.ruling == expected; }
};

/// The claim that `prediction` makes of what was measured.
Claim judged(std::string statement, const theory::Prediction& prediction, const theory::Measured& measured,
             theory::Ruling expected = theory::Ruling::holds);
/// The same at every place of a run.
Claim judged(std::string statement, const theory::PredictedSeries& prediction,
             const std::vector<double>& measured, const std::vector<std::string>& places,
             theory::Ruling expected = theory::Ruling::holds);
Claim judged(std::string statement, const theory::PredictedSeries& prediction,
             const std::vector<theory::Measured>& measured, theory::Ruling expected = theory::Ruling::holds);

}  // namespace plumb
