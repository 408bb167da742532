/// What points are called: by their labels in the sweep where these tell them apart, else by what differs.
#pragma once

#include <string>
#include <vector>

#include "plumb/report/aggregate.hpp"

namespace plumb {

/// "inception, p = 0.5"
std::string label_of(const TextPairs& axes);

/// Gives every point, which has its axes and runs, its label, group and variant; no two points have the same
/// label.
void name_points(std::vector<Point>& points);

}  // namespace plumb
