/// What the runs show, in sentences and in a table, with nothing in them that was not measured.
#pragma once

#include <string>
#include <vector>

#include "plumb/report/aggregate.hpp"

namespace plumb {

/// One to a few sentences: how many points fit, what fitting cost as labels were corrupted, what became of
/// the test error, and which runs are missing.
std::vector<std::string> findings(const Results& results, const std::vector<Point>& points);

/// A table of all points for a terminal, aligned, at most 100 columns wide, with the findings' caveats
/// beneath.
std::string summary_table(const Results& results);

}  // namespace plumb
