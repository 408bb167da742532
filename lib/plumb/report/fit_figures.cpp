#include "plumb/report/fit_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "plumb/report/drawing.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 5> accuracy_columns{
    {{"train_accuracy", "training set, given labels"},
     {"clean_accuracy", "examples with their true label"},
     {"memorization", "wrong labels, as given (memorization)"},
     {"recovery", "wrong labels, true class (recovery)"},
     {"test_accuracy", "test set"}}};

std::vector<const Point*> by_corruption(std::vector<const Point*> points) {
  std::erase_if(points, [](const Point* point) { return !point->corruption; });
  std::stable_sort(points.begin(), points.end(),
                   [](const Point* a, const Point* b) { return *a->corruption < *b->corruption; });
  return points;
}

/// Ends the axis a little above where training began when a curve runs far away from there.
void limit_loss_axis(Figure& figure) {
  double start = 0, highest = 0;
  for (const Curve& curve : figure.curves) {
    if (!curve.y.empty()) start = std::max(start, curve.y.front());
    for (const double y : curve.y)
      if (std::isfinite(y)) highest = std::max(highest, y);
  }
  figure.y.low = 0;
  if (start <= 0 || highest <= 3 * start) return;
  figure.y.high = 2 * start;
  figure.caption += fmt::format(" The axis ends at {:.3g}; losses go up to {:.3g}.", 2 * start, highest);
}

Figure learning_curves(const std::vector<const Point*>& points, bool variants) {
  Figure figure;
  figure.title = "Training loss";
  figure.band = true;
  figure.x.label = "training steps";
  figure.x.low = 0;
  figure.y.label = "training loss";
  for (const Point* point : points) {
    const std::string label = (variants && !point->variant.empty() ? point->variant : point->label);
    Curve curve = series_curve(label + status_mark(*point), loss_series(drawn_runs(*point), 160));
    if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
  }
  figure.caption = fmt::format(
      "Loss of the minibatches as they were trained on; at step 0, of the whole training set. {} "
      "A curve ends where its first seed ended.",
      seeds_note(points, "band"));
  limit_loss_axis(figure);
  return figure;
}

/// A figure over the corruption probability with one curve per group; `measure` returns an estimate, of no
/// value when there is nothing to draw.
template <class Measure>
Figure over_corruption(const std::vector<Point>& points, Measure measure) {
  Figure figure;
  figure.x.label = "probability of a redrawn label, p";
  figure.x.low = -0.03;  // room for the markers at the ends
  figure.x.high = 1.03;
  const std::vector<std::string> groups = groups_of(points);
  std::vector<const Point*> drawn;
  for (const std::string& group : groups) {
    Curve curve{group.empty() ? "all" : group, {}, {}, {}};
    for (const Point* point : by_corruption(of_group(points, group))) {
      const Estimate value = measure(*point);
      if (value.count == 0) continue;
      drawn.push_back(point);
      curve.x.push_back(*point->corruption);
      curve.y.push_back(value.mean);
      curve.error.push_back(value.standard_error);
    }
    if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
  }
  figure.caption = seeds_note(drawn, "bars");
  return figure;
}

/// True when some curve has points at two abscissae; otherwise there is nothing to compare.
bool compares(const Figure& figure) {
  return std::any_of(figure.curves.begin(), figure.curves.end(),
                     [](const Curve& curve) { return curve.x.front() != curve.x.back(); });
}

std::string criterion_text(const ReportOptions& options) {
  return fmt::format("training accuracy ≥ {:.6g} %", 100 * options.fit_accuracy);
}

}  // namespace

std::vector<Figure> learning_curve_figures(const std::vector<Point>& points) {
  std::vector<Figure> figures;
  for (const DrawnGroup& group : drawn_groups(points)) {
    figures.push_back(learning_curves(group.points, group.variants));
    figures.back().title += group.title;
  }
  for (size_t i = 0; i < figures.size(); ++i)
    figures[i].name = numbered("learning_curves", i, figures.size());
  std::erase_if(figures, [](const Figure& figure) { return !drawable(figure); });
  return figures;
}

Figure time_to_fit_figure(const Results& results, const std::vector<Point>& points) {
  Figure figure =
      over_corruption(points, [](const Point& point) { return point.slowdown.value_or(Estimate{}); });
  if (!compares(figure)) return {};
  figure.name = "time_to_fit";
  figure.title = "Time to fit, relative to true labels";
  figure.y.label = "steps to fit, T(p) / T(0)";
  figure.y.low = 0;
  figure.caption = fmt::format("T(p): steps to the first evaluation with {}. {}",
                               criterion_text(results.options), figure.caption);
  std::vector<std::string> missing;
  for (const Point& point : points)
    if (point.corruption && !point.fits) missing.push_back(point.label);
  if (!missing.empty())
    figure.caption +=
        fmt::format(" Not drawn, because not every completed run got there: {}.", fmt::join(missing, "; "));
  return figure;
}

Figure test_error_figure(const std::vector<Point>& points) {
  Figure figure = over_corruption(points, [](const Point& point) {
    Estimate error = point.last("test_accuracy");
    error.mean = 100 * (1 - error.mean);
    error.standard_error *= 100;
    return error;
  });
  if (!compares(figure)) return {};
  figure.name = "test_error";
  figure.title = "Test error at the end of training";
  figure.y.label = "test error (%)";
  figure.y.low = 0;
  figure.y.high = 100;
  return figure;
}

std::vector<Figure> final_accuracy_figures(const std::vector<Point>& points) {
  std::vector<Figure> figures;
  const std::vector<std::string> groups = groups_of(points);
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<Point> group;
    for (const Point* point : of_group(points, groups[i])) group.push_back(*point);
    Figure figure;
    for (const auto& [column, label] : accuracy_columns) {
      Figure one = over_corruption(group, [column = column](const Point& point) {
        Estimate accuracy = point.last(column);
        accuracy.mean *= 100;
        accuracy.standard_error *= 100;
        return accuracy;
      });
      if (one.curves.empty()) continue;
      one.curves.front().label = label;
      if (figure.curves.empty())
        figure = std::move(one);
      else
        figure.curves.push_back(std::move(one.curves.front()));
    }
    if (!compares(figure)) continue;
    figure.name = numbered("final_accuracy", i, groups.size());
    figure.title = groups.size() == 1 ? "Accuracy at the end of training"
                                      : fmt::format("Accuracy at the end of training, {}", groups[i]);
    figure.y = {.label = "accuracy (%)", .low = 0, .high = 100};
    figures.push_back(std::move(figure));
  }
  return figures;
}

std::vector<Figure> accuracy_figures(const std::vector<Point>& points) {
  std::vector<Figure> figures;
  for (size_t i = 0; i < points.size(); ++i) {
    Figure figure;
    for (const auto& [column, label] : accuracy_columns) {
      Series series = evaluation_series(drawn_runs(points[i]), column);
      for (double& value : series.mean) value *= 100;
      for (double& value : series.standard_error) value *= 100;
      if (!series.x.empty()) figure.curves.push_back(series_curve(label, std::move(series)));
    }
    figure.name = numbered("accuracy", i, points.size());
    figure.title = points[i].label + status_mark(points[i]);
    figure.caption = seeds_note({&points[i]}, "band");
    figure.band = true;
    figure.x.label = "training steps";
    figure.y = {.label = "accuracy (%)", .low = 0, .high = 100};
    if (drawable(figure)) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace plumb
