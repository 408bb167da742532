/// The runs of one experiment as values, read from the folder that running it left behind.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/core/config.hpp"
#include "plumb/experiment/report_options.hpp"
#include "plumb/records/recorded_run.hpp"

namespace plumb {

/// One experiment and everything found in its folder.
struct Results {
  /// Something in the folder that was left out, and why.
  struct Skipped {
    std::string folder;
    std::string reason;
  };

  std::filesystem::path folder;
  std::string name;
  std::string question;
  Config description;  // experiment.yaml as given
  ReportOptions options;
  std::vector<RecordedRun>
      runs;  // those of the description in its order, then others; by point, then by seed
  std::vector<Skipped> skipped;
  std::string
      all_planned_because;  // why every run counts as one of the description; empty: they were matched
  int64_t missing = 0;      // runs of the description that have no folder
};

/// Reads `<folder>/experiment.yaml` and every run beside it. A run belongs to the description when the
/// description expands to one with the same identity and seed, whatever its folder is called; all do when it
/// expands to none of them. Whatever is no run, is damaged, or repeats another run's identity and seed is
/// skipped with the reason. Throws DataError when experiment.yaml is missing, ConfigError when its report
/// section is wrong.
Results load_results(const std::filesystem::path& folder);

/// True when `left` comes before `right` with runs of digits compared as numbers ("p=0.5" before "p=0.75"
/// before "p=1").
bool natural_less(std::string_view left, std::string_view right);

}  // namespace plumb
