/// How a run ended, and whether other limits would have let it go on.
#pragma once

#include <optional>

#include "plumb/experiment/run_directory.hpp"
#include "plumb/training/stopping.hpp"

namespace plumb {

struct Ending {
  Outcome outcome = Outcome::interrupted;
  int64_t step = 0;
  double epoch = 0;
  double seconds = 0;                   // in training and evaluation
  double train_accuracy = not_defined;  // of the last evaluation; NaN where version 0.1 did not write it
  double train_loss = not_defined;
  /// Whether a longer run would have looked at its targets here, too: not when only the end asked for the
  /// last evaluation.
  bool evaluation_was_due = true;

  /// What a folder's outcome.json says; nothing when there is none. Throws DataError when it is not one that
  /// plumb writes.
  static std::optional<Ending> read(const RunDirectory& directory);
  void write(const RunDirectory& directory, double training_seconds, double evaluation_seconds,
             double probe_seconds) const;

  /// Whether a run with the limits and targets `stop` would not have ended here. A diverged one never goes
  /// on.
  bool goes_on(const StopOptions& stop) const;
  /// Whether it went farther than `stop` lets a run go.
  bool beyond(const StopOptions& stop) const;
};

}  // namespace plumb
