/// What the figures of a report share: which runs a curve stands for, and how that is said.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plumb/report/aggregate.hpp"
#include "plumb/report/figure.hpp"
#include "plumb/report/series.hpp"

namespace plumb {

/// The runs a curve is drawn from: the completed ones, or all when there is none.
std::vector<const RecordedRun*> drawn_runs(const Point& point);

/// "Mean over 3 seeds; band: standard error." as far as that is true of all points.
std::string seeds_note(const std::vector<const Point*>& points, std::string_view errors_shown);

/// What a legend adds for a point whose runs did not all end as described.
std::string status_mark(const Point& point);

/// The points of one group, in their order.
std::vector<const Point*> of_group(const std::vector<Point>& points, const std::string& group);

/// The name of the `index`th of `count` files: numbered from 1 when there are several.
std::string numbered(const std::string& name, size_t index, size_t count);

Curve series_curve(const std::string& label, Series series);

/// Points that are drawn together: all of them, or those of one group when groups have several points.
struct DrawnGroup {
  std::string title;  // to be added to the figure's title; may be empty
  std::vector<const Point*> points;
  bool variants = false;  // a curve is told by its variant alone
};
std::vector<DrawnGroup> drawn_groups(const std::vector<Point>& points);

}  // namespace plumb
