/// What the runs show, in sentences and in a table, with nothing in them that was not measured.
#pragma once

#include <string>
#include <vector>

#include "plumb/report/aggregate.hpp"

namespace plumb {

/// One to a few sentences: how many points fit, what fitting cost as labels were corrupted, what became of
/// the test error, and which runs are missing.
std::vector<std::string> findings(const Results& results, const std::vector<Point>& points);

/// "Left out of every mean: 1 diverged, 2 unfinished." Empty when nothing is.
std::string caveat_sentence(const Results& results);

/// A table of all points for a terminal, aligned, at most 100 columns wide, with the findings' caveats
/// beneath; other runs in the folder have rows of their own under that heading.
std::string summary_table(const Results& results);

/// A line for each run that was left out or marked: "0.1-seed3-1a2b3c4d: left out: outcome.json: is no JSON".
std::vector<std::string> complaints(const Results& results);

}  // namespace plumb
