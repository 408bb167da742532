/// The runs of one experiment as values, read from the folder that running it left behind.
#pragma once

#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/core/config.hpp"
#include "plumb/experiment/report_options.hpp"
#include "plumb/report/table.hpp"

namespace plumb {

/// Keys and their texts in the order written.
using TextPairs = std::vector<std::pair<std::string, std::string>>;

/// What one probe of a run recorded.
struct ProbeResult {
  std::string name;                  // of its file
  std::string type;                  // of the component
  Table table;                       // step, epoch and the probe's columns
  std::vector<std::string> remarks;  // on how it was measured, from which step on

  /// The last finite value of a column; absent when there is none.
  std::optional<double> last(std::string_view column) const;
};

/// What one run left behind.
struct RunResult {
  /// How a run ended. An unfinished run has no outcome: it is still going, or it was stopped.
  struct Ending {
    std::string outcome;  // train_accuracy_reached, ..., diverged, failed
    std::string message;
    double step = std::numeric_limits<double>::quiet_NaN();              // NaN: not recorded
    double training_seconds = std::numeric_limits<double>::quiet_NaN();  // likewise
    double probe_seconds = std::numeric_limits<double>::quiet_NaN();     // likewise
  };

  std::string id;        // name of its folder
  Config description;    // every setting, as it was run
  Config identity;       // what of it the numbers follow from, without the seed (run_identity)
  TextPairs axes;        // axis name -> label of this run's point, in today's experiment.yaml or when it ran
  bool planned = true;   // false: one of the other runs in the folder
  TextPairs provenance;  // everything else known about its making
  std::string seed;
  std::vector<std::string> remarks;  // what a reader should know of it before trusting it
  std::optional<Ending> ending;
  Table steps;                      // steps.csv
  Table evaluations;                // evaluations.csv
  Table timing;                     // timing.csv; without columns when there is none
  std::vector<ProbeResult> probes;  // probes/*.csv, by name

  /// True when training ended as described: neither unfinished nor diverged nor failed.
  bool completed() const;
  /// "unfinished", or the outcome.
  std::string outcome() const { return ending ? ending->outcome : "unfinished"; }
  /// The probability with which each training label was redrawn: 0 for true_labels, 1 for random_labels;
  /// absent when pixels are randomized instead.
  std::optional<double> corruption() const;
  /// The text of a resolved setting ("training.batch_size"); empty when it is not there. A component is its
  /// type.
  std::string setting(std::string_view dotted_path) const;
  /// One piece of provenance; empty when it was not recorded.
  std::string recorded(std::string_view key) const;
  /// `column` at the last evaluation; absent when there is none or it is undefined there.
  std::optional<double> last(std::string_view column) const;
  /// What the probe of this name recorded, or null pointer.
  const ProbeResult* probe(std::string_view name) const;
};

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
  std::vector<RunResult> runs;  // those of the description in its order, then others; by point, then by seed
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
