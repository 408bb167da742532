/// What a system's findings look like: on a page, in a file for programs, in a terminal.
#pragma once

#include <filesystem>
#include <string>

#include "plumb/lecture/lecture.hpp"

namespace plumb {

/// Everything but the figures' curves: statement, setting, seconds, tables, remarks, and the claims with
/// verdict, numbers, unmet hypotheses and source; a number that is not finite is null.
std::string claims_json(const SystemReport& report);

/// Writes figures/*.svg and .csv and report.html: the statement, the figures, predicted against measured, the
/// verdicts, how to reproduce it. Returns the page. Throws DataError, also when gnuplot is missing.
std::filesystem::path write_system_page(const SystemReport& report, const std::string& type,
                                        const std::string& description, const std::filesystem::path& folder);

}  // namespace plumb
