/// Quantities along training, averaged over runs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "plumb/report/results.hpp"

namespace plumb {

/// A quantity along training, averaged over runs.
struct Series {
  std::vector<double> x, mean, standard_error;  // equally long; standard_error is NaN for a single run
};

/// Column `column` of the evaluations over steps: the mean over `runs` at each step that all of them
/// evaluated and where it is finite. Runs without evaluations are left out.
Series evaluation_series(const std::vector<const RecordedRun*>& runs, std::string_view column);

/// Column `column` of the table of the probe called `probe`, over steps, likewise. Runs without it are left
/// out.
Series probe_series(const std::vector<const RecordedRun*>& runs, std::string_view probe,
                    std::string_view column);

/// The training loss over steps: the evaluation at step 0, then steps.csv, averaged in at most `points` equal
/// spans of steps (each row weighs as many steps as it stands for), then over runs as above.
Series loss_series(const std::vector<const RecordedRun*>& runs, int64_t points);

}  // namespace plumb
