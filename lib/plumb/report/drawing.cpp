#include "plumb/report/drawing.hpp"

#include <set>
#include <utility>

#include <fmt/format.h>

namespace plumb {

std::vector<const RecordedRun*> drawn_runs(const Point& point) {
  std::vector<const RecordedRun*> runs;
  for (const RecordedRun* run : point.runs)
    if (run->completed()) runs.push_back(run);
  return runs.empty() ? point.runs : runs;
}

std::string seeds_note(const std::vector<const Point*>& points, std::string_view errors_shown) {
  std::set<size_t> counts;
  for (const Point* point : points) counts.insert(drawn_runs(*point).size());
  if (counts.empty()) return {};
  if (*counts.rbegin() == 1) return "One seed; no error can be given.";
  const std::string range = counts.size() == 1 ? fmt::format("{}", *counts.begin())
                                               : fmt::format("{} to {}", *counts.begin(), *counts.rbegin());
  return fmt::format("Mean over {} seeds; {}: standard error.", range, errors_shown);
}

std::string status_mark(const Point& point) {
  return point.completed == 0 ? fmt::format(" ({})", point.outcomes()) : std::string{};
}

std::vector<const Point*> of_group(const std::vector<Point>& points, const std::string& group) {
  std::vector<const Point*> found;
  for (const Point& point : points)
    if (point.group == group) found.push_back(&point);
  return found;
}

std::string numbered(const std::string& name, size_t index, size_t count) {
  return count == 1 ? name : fmt::format("{}_{}", name, index + 1);
}

Curve series_curve(const std::string& label, Series series) {
  return {label, std::move(series.x), std::move(series.mean), std::move(series.standard_error)};
}

std::vector<DrawnGroup> drawn_groups(const std::vector<Point>& points) {
  const std::vector<std::string> groups = groups_of(points);
  std::vector<DrawnGroup> drawn;
  if (groups.size() == points.size()) {
    DrawnGroup& all = drawn.emplace_back();
    for (const Point& point : points) all.points.push_back(&point);
    return drawn;
  }
  for (const std::string& group : groups)
    drawn.push_back({groups.size() > 1 ? ", " + group : std::string{}, of_group(points, group), true});
  return drawn;
}

}  // namespace plumb
