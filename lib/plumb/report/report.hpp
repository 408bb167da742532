/// From the folder of an experiment to one page that answers its question.
#pragma once

#include <filesystem>

#include "plumb/report/results.hpp"

namespace plumb {

/// Writes `report.html` and `figures/NAME.svg`, `figures/NAME.csv` into the experiment's folder and returns
/// the path of the page. Throws DataError when the folder is no experiment, holds no readable run, or gnuplot
/// is missing; ConfigError when the description's report section is wrong.
std::filesystem::path write_report(const std::filesystem::path& folder);

/// The same for results already loaded.
std::filesystem::path write_report(const Results& results);

}  // namespace plumb
