/// The plotting program gnuplot, run on a script without a shell and without files.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace plumb {

/// The SVG that gnuplot draws for `script`, which must neither set the output nor leave the svg terminal.
/// Throws DataError when gnuplot is not on PATH (naming the package), fails (with what it said), is killed,
/// takes longer than `patience`, or its document does not end as one.
std::string run_gnuplot(std::string_view script,
                        std::chrono::milliseconds patience = std::chrono::minutes(2));

/// `text` as a gnuplot string constant: in single quotes nothing is expanded, and control characters become
/// spaces.
std::string gnuplot_string(std::string_view text);

}  // namespace plumb
