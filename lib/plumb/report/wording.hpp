/// Measured numbers as text: as many digits as their standard error supports, and a dash for what is absent.
#pragma once

#include <string>

#include "plumb/report/aggregate.hpp"

namespace plumb {

/// What stands for a quantity that was not measured or not reached.
inline constexpr std::string_view absent = "–";

/// "5400", "5400 ± 23"; digits follow the standard error, three or more significant ones without it.
std::string number_text(const Estimate& estimate);
/// The same in per cent, "99.98 ± 0.01".
std::string percent_text(const Estimate& estimate);
/// "41 s", "3.5 min", "2.1 h".
std::string duration_text(const Estimate& seconds);
/// An outcome in words: "train accuracy reached".
std::string outcome_text(std::string outcome);
/// "1 run", "3 runs".
std::string counted(int64_t count, std::string_view noun);

}  // namespace plumb
