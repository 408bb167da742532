#include "plumb/report/aggregate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "plumb/core/error.hpp"
#include "plumb/report/point_names.hpp"

namespace plumb {
namespace {

/// The seconds of training at `step`, from timing.csv's row for that step; NaN when there is none.
double seconds_at(const RecordedRun& run, double step) {
  if (run.timing.has("training_seconds")) {
    const std::vector<double> steps = run.timing.column("step");
    const auto found = std::find(steps.begin(), steps.end(), step);
    if (found != steps.end())
      return run.timing.column("training_seconds")[static_cast<size_t>(found - steps.begin())];
  }
  return std::numeric_limits<double>::quiet_NaN();
}

Estimate finite_estimate(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  return estimate(values);
}

void measure_fit(Point& point, const ReportOptions& options) {
  std::vector<double> steps, epochs, seconds, loss_steps;
  for (const RecordedRun* run : point.runs) {
    if (!run->completed()) continue;
    ++point.completed;
    if (const auto fit = first_reached(*run, "train_accuracy", true, options.fit_accuracy)) {
      steps.push_back(fit->step);
      epochs.push_back(fit->epoch);
      seconds.push_back(fit->seconds);
    }
    if (!options.fit_loss) continue;
    if (const auto fit = first_reached(*run, "train_loss", false, *options.fit_loss))
      loss_steps.push_back(fit->step);
  }
  point.fitted = static_cast<int64_t>(steps.size());
  point.fits = point.completed > 0 && point.fitted == point.completed;
  // A mean over only those runs that got there would make the slow ones look fast.
  if (point.fits) {
    point.steps_to_fit = finite_estimate(steps);
    point.epochs_to_fit = finite_estimate(epochs);
    point.seconds_to_fit = finite_estimate(seconds);
  }
  if (point.completed > 0 && static_cast<int64_t>(loss_steps.size()) == point.completed)
    point.steps_to_loss = finite_estimate(loss_steps);
}

void measure_slowdown(std::vector<Point>& points) {
  std::map<std::string, const Point*> clean;
  for (const Point& point : points)
    if (point.planned && point.corruption == 0.0 && point.fits && point.steps_to_fit.mean > 0)
      clean.emplace(point.group, &point);
  for (Point& point : points) {
    const auto found = clean.find(point.group);
    if (!point.planned || found == clean.end() || !point.corruption || !point.fits) continue;
    const Estimate& base = found->second->steps_to_fit;
    const Estimate& time = point.steps_to_fit;
    const double ratio = time.mean / base.mean;
    const double error = ratio * std::hypot(time.standard_error / time.mean, base.standard_error / base.mean);
    const bool itself = found->second == &point;
    point.slowdown = Estimate{itself ? base.count : std::min(time.count, base.count), itself ? 1 : ratio,
                              itself ? std::numeric_limits<double>::quiet_NaN() : error};
  }
}

}  // namespace

Estimate estimate(const std::vector<double>& values) {
  Estimate result;
  result.count = static_cast<int64_t>(values.size());
  if (values.empty()) return result;
  const double n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) {
    expects(std::isfinite(value), "a mean needs finite values, got {}", value);
    sum += value;
  }
  result.mean = sum / n;
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.standard_error = std::sqrt(squares / (n - 1) / n);
  return result;
}

std::optional<FitTime> first_reached(const RecordedRun& run, std::string_view column, bool at_least,
                                     double threshold) {
  if (!run.evaluations.has(column)) return {};
  const std::vector<double> values = run.evaluations.column(column);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(at_least ? values[i] >= threshold : values[i] <= threshold)) continue;  // NaN reaches nothing
    const double step = run.evaluations.column("step")[i];
    const double epoch = run.evaluations.has("epoch") ? run.evaluations.column("epoch")[i]
                                                      : std::numeric_limits<double>::quiet_NaN();
    return FitTime{step, epoch, seconds_at(run, step)};
  }
  return {};
}

Estimate Point::last(std::string_view column) const {
  std::vector<double> values;
  for (const RecordedRun* run : runs)
    if (const auto value = run->last(column); value && run->completed()) values.push_back(*value);
  return estimate(values);
}

Estimate Point::steps() const { return last("step"); }
Estimate Point::epochs() const { return last("epoch"); }

Estimate Point::training_seconds() const {
  std::vector<double> values;
  for (const RecordedRun* run : runs)
    if (run->completed()) values.push_back(run->ending->training_seconds);
  return finite_estimate(values);
}

std::string Point::outcomes() const {
  std::vector<std::pair<std::string, int64_t>> counts;
  for (const RecordedRun* run : runs) {
    const auto found = std::find_if(counts.begin(), counts.end(),
                                    [run](const auto& entry) { return entry.first == run->outcome(); });
    if (found == counts.end())
      counts.emplace_back(run->outcome(), 1);
    else
      ++found->second;
  }
  // What went wrong comes first.
  const auto usual = [](const auto& entry) {
    return entry.first != "diverged" && entry.first != "failed" && entry.first != "unfinished";
  };
  std::stable_sort(counts.begin(), counts.end(),
                   [&usual](const auto& left, const auto& right) { return usual(left) < usual(right); });
  if (counts.size() == 1) return counts.front().first;
  std::string text;
  for (const auto& [outcome, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, outcome);
  return text;
}

std::vector<Point> aggregate(const Results& results) {
  std::vector<Point> points;
  std::map<std::string, size_t> places;
  for (const RecordedRun& run : results.runs) {
    std::string key = run.identity.to_yaml();
    if (run.planned) key += label_of(run.axes) + "\n planned";
    const auto [place, added] = places.emplace(std::move(key), points.size());
    if (added) {
      Point& point = points.emplace_back();
      if (run.planned) point.axes = run.axes;
      point.planned = run.planned;
      point.corruption = run.corruption;
    }
    points[place->second].runs.push_back(&run);
  }
  name_points(points);
  for (Point& point : points) measure_fit(point, results.options);
  measure_slowdown(points);
  return points;
}

std::vector<Point> planned_points(const std::vector<Point>& points, bool planned) {
  std::vector<Point> chosen;
  for (const Point& point : points)
    if (point.planned == planned) chosen.push_back(point);
  return chosen;
}

std::vector<std::string> groups_of(const std::vector<Point>& points) {
  std::vector<std::string> groups;
  for (const Point& point : points)
    if (std::find(groups.begin(), groups.end(), point.group) == groups.end()) groups.push_back(point.group);
  return groups;
}

}  // namespace plumb
