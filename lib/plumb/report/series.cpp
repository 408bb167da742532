#include "plumb/report/series.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "plumb/core/error.hpp"
#include "plumb/report/aggregate.hpp"

namespace plumb {
namespace {

using ValueAtStep = std::map<double, double>;

/// The mean over curves at the abscissae that all of them have.
Series mean_of_curves(const std::vector<ValueAtStep>& curves) {
  Series series;
  if (curves.empty()) return series;
  for (const auto& [x, first] : curves.front()) {
    std::vector<double> values;
    for (const ValueAtStep& curve : curves)
      if (const auto found = curve.find(x); found != curve.end() && std::isfinite(found->second))
        values.push_back(found->second);
    if (values.size() != curves.size()) continue;
    const Estimate mean = estimate(values);
    series.x.push_back(x);
    series.mean.push_back(mean.mean);
    series.standard_error.push_back(mean.standard_error);
  }
  return series;
}

/// The rows of steps.csv averaged in spans of `span` steps, each span named by its middle, weighted by the
/// steps a row stands for. A span that the run did not finish is left out, unless it is the only one.
ValueAtStep binned_loss(const RecordedRun& run, double span) {
  ValueAtStep sums, weights, curve;
  const std::vector<double> steps = run.steps.column("step");
  const std::vector<double> losses = run.steps.column("loss");
  for (size_t i = 0; i < steps.size(); ++i) {
    const double weight = steps[i] - (i == 0 ? 0 : steps[i - 1]);
    const double middle = (std::ceil(steps[i] / span) - 0.5) * span;
    sums[middle] += weight * losses[i];
    weights[middle] += weight;
  }
  for (const auto& [middle, weight] : weights)
    if (weight > 0 && (weight >= 0.5 * span || weights.size() == 1)) curve[middle] = sums[middle] / weight;
  return curve;
}

void add_curve(const Table& table, std::string_view column, std::vector<ValueAtStep>& curves) {
  if (!table.has(column) || table.rows.empty()) return;
  const std::vector<double> steps = table.column("step");
  const std::vector<double> values = table.column(column);
  ValueAtStep& curve = curves.emplace_back();
  for (size_t i = 0; i < steps.size(); ++i) curve[steps[i]] = values[i];
}

}  // namespace

Series evaluation_series(const std::vector<const RecordedRun*>& runs, std::string_view column) {
  std::vector<ValueAtStep> curves;
  for (const RecordedRun* run : runs) add_curve(run->evaluations, column, curves);
  return mean_of_curves(curves);
}

Series probe_series(const std::vector<const RecordedRun*>& runs, std::string_view probe,
                    std::string_view column) {
  std::vector<ValueAtStep> curves;
  for (const RecordedRun* run : runs)
    if (const RecordedProbe* found = run->probe(probe)) add_curve(found->table, column, curves);
  return mean_of_curves(curves);
}

Series loss_series(const std::vector<const RecordedRun*>& runs, int64_t points) {
  expects(points > 0, "a series needs at least one point, got {}", points);
  double last_step = 0;
  double interval = 0;  // the longest row: no span may be shorter, or some would be empty
  for (const RecordedRun* run : runs) {
    if (!run->steps.has("step")) continue;
    double previous = 0;
    for (const double step : run->steps.column("step")) {
      interval = std::max(interval, step - previous);
      previous = step;
    }
    last_step = std::max(last_step, previous);
  }
  if (last_step == 0) return evaluation_series(runs, "train_loss");
  const double span = interval * std::max(1.0, std::ceil(last_step / interval / static_cast<double>(points)));
  std::vector<ValueAtStep> curves;
  for (const RecordedRun* run : runs) {
    if (!run->steps.has("step") || run->steps.rows.empty()) continue;
    ValueAtStep& curve = curves.emplace_back(binned_loss(*run, span));
    if (!run->evaluations.has("train_loss") || run->evaluations.rows.empty()) continue;
    if (run->evaluations.column("step").front() == 0)
      curve[0] = run->evaluations.column("train_loss").front();
  }
  return mean_of_curves(curves);
}

}  // namespace plumb
