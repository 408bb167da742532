/// What the probes recorded: figures over steps, and what of it can be said in a sentence.
#pragma once

#include <string>
#include <vector>

#include "plumb/report/aggregate.hpp"
#include "plumb/report/figure.hpp"

namespace plumb {

/// The main columns of every probe over steps, one curve per point; captions name the conventions. A figure
/// for each group when groups have several points; columns that were nowhere finite are left out.
std::vector<Figure> geometry_figures(const std::vector<Point>& points);

/// How far the tangent kernel moved, what rank the Jacobian had, how small the PL ratio became; only what was
/// recorded.
std::vector<std::string> geometry_findings(const std::vector<Point>& points);

/// "Measuring took 3.1 % of the time of training." over the completed runs; empty when there are no probes.
std::string probe_cost_sentence(const std::vector<Point>& points);

}  // namespace plumb
