/// Runs that differ only in their seed made into one point: means, standard errors, time to fit. What was not
/// measured stays absent.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/report/results.hpp"

namespace plumb {

/// The mean of `count` values and its standard error sqrt(sum (x - mean)^2 / (count - 1) / count).
struct Estimate {
  int64_t count = 0;
  double mean = std::numeric_limits<double>::quiet_NaN();            // of no value: NaN
  double standard_error = std::numeric_limits<double>::quiet_NaN();  // of fewer than two values: NaN
};

/// The estimate over `values`, each of which must be finite (ContractError).
Estimate estimate(const std::vector<double>& values);

/// Where a run first met a criterion.
struct FitTime {
  double step = 0;
  double epoch = 0;
  double seconds = 0;  // of training; NaN when it was not recorded
};

/// The first evaluation whose `column` is at least (`at_least`), or at most, `threshold`; absent when there
/// is none.
std::optional<FitTime> first_reached(const RecordedRun& run, std::string_view column, bool at_least,
                                     double threshold);

/// Runs with the same identity (see run_identity) and the same labels: they differ in their seed alone, and
/// no seed is there twice.
struct Point {
  TextPairs axes;
  std::string
      label;  // "inception, p = 0.5"; what differs, where that says too little; "all runs" of one point
  std::string group;    // what points that differ in their corruption alone share: labels, or what differs
  std::string variant;  // the labels on the axes along which corruption changes; empty when there are none
  bool planned = true;  // false: of the other runs in the folder
  std::optional<double> corruption;  // see RecordedRun::corruption
  std::vector<const RecordedRun*> runs;

  int64_t completed = 0;             // runs that ended as described; every estimate is over these
  int64_t fitted = 0;                // completed runs that reached the training accuracy asked for
  bool fits = false;                 // at least one run completed, and all that completed fitted
  Estimate steps_to_fit;             // over completed runs, only when fits
  Estimate epochs_to_fit;            // likewise
  Estimate seconds_to_fit;           // likewise, of training time
  Estimate steps_to_loss;            // to report.fit_loss, when every completed run reached it
  std::optional<Estimate> slowdown;  // T(p) / T(0) within the group, when both fit

  /// `column` at the last evaluation of the completed runs, where defined.
  Estimate last(std::string_view column) const;
  /// The last step of the completed runs.
  Estimate steps() const;
  Estimate epochs() const;
  /// Training time of the completed runs, without evaluations.
  Estimate training_seconds() const;
  /// "step_limit" or, when runs ended differently, "1 diverged, 2 step_limit".
  std::string outcomes() const;
  /// True when not every run completed.
  bool partial() const { return completed < static_cast<int64_t>(runs.size()); }
};

/// The points of an experiment in the order of its runs; they point into `results`, which must outlive them.
/// Points of one group have the same identity but for the corruption of their labels: only they are ever
/// compared.
///
/// The slowdown is the ratio of mean steps to fit; its standard error is first order,
/// r sqrt((s_p / T_p)^2 + (s_0 / T_0)^2), and NaN when either has none. At p = 0 itself it is 1, without
/// error.
std::vector<Point> aggregate(const Results& results);

/// Those of `points` that the description expands to, or the others.
std::vector<Point> planned_points(const std::vector<Point>& points, bool planned = true);

/// The distinct groups of `points` in order of appearance.
std::vector<std::string> groups_of(const std::vector<Point>& points);

}  // namespace plumb
