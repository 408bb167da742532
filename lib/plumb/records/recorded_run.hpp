/// What a run left behind, as values: what a theorem judges and a report shows.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plumb/core/config.hpp"
#include "plumb/records/table.hpp"

namespace plumb {

/// Keys and their texts in the order written.
using TextPairs = std::vector<std::pair<std::string, std::string>>;

/// What one probe of a run recorded.
struct RecordedProbe {
  std::string name;                  // of its file
  std::string type;                  // of the component
  Table table;                       // step, epoch and the probe's columns
  std::vector<std::string> remarks;  // on how it was measured, from which step on
  Config options = {};               // as described, defaults written out; null where unknown

  /// The last finite value of a column; absent when there is none.
  std::optional<double> last(std::string_view column) const;
};

/// What one run left behind.
struct RecordedRun {
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
  /// The probability with which each training label was redrawn; absent when the randomization does something
  /// else.
  std::optional<double> corruption;
  Table steps;                        // steps.csv
  Table evaluations;                  // evaluations.csv
  Table timing;                       // timing.csv; without columns when there is none
  std::vector<RecordedProbe> probes;  // probes/*.csv, by name
  std::vector<Config> theorems;       // those asked of it: {type: ..., ...}

  /// True when training ended as described: neither unfinished nor diverged nor failed.
  bool completed() const;
  /// "unfinished", or the outcome.
  std::string outcome() const { return ending ? ending->outcome : "unfinished"; }
  /// The text of a resolved setting ("training.batch_size"); empty when it is not there. A component is its
  /// type.
  std::string setting(std::string_view dotted_path) const;
  /// One piece of provenance; empty when it was not recorded.
  std::string recorded(std::string_view key) const;
  /// `column` at the last evaluation; absent when there is none or it is undefined there.
  std::optional<double> last(std::string_view column) const;
  /// What the probe of this name recorded, or null pointer.
  const RecordedProbe* probe(std::string_view name) const;
};

}  // namespace plumb
