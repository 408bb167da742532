/// The figures of a randomization experiment, after Figure 1 of Zhang et al. (ICLR 2017).
#pragma once

#include <vector>

#include "plumb/report/aggregate.hpp"
#include "plumb/report/figure.hpp"

namespace plumb {

/// Training loss over steps, one curve per point; one figure for each group when groups have several points.
std::vector<Figure> learning_curve_figures(const std::vector<Point>& points);

/// T(p) / T(0) over the corruption probability, one curve per group; without curves when no group has two
/// such points.
Figure time_to_fit_figure(const Results& results, const std::vector<Point>& points);

/// Test error over the corruption probability, one curve per group; without curves when no group has two such
/// points.
Figure test_error_figure(const std::vector<Point>& points);

/// Final accuracies over the corruption probability, one figure per group that has at least two
/// probabilities.
std::vector<Figure> final_accuracy_figures(const std::vector<Point>& points);

/// Accuracies over steps, one figure per point.
std::vector<Figure> accuracy_figures(const std::vector<Point>& points);

}  // namespace plumb
