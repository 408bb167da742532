/// The files of one run, and what they say about how far it came.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "plumb/core/archive.hpp"
#include "plumb/core/files.hpp"
#include "plumb/training/trainer.hpp"

namespace plumb {

/// run.yaml          the complete description; running it again repeats the run
/// provenance.json   versions, machine, threads, data, times, the run's point in the sweep
/// labels.pt         labels, clean_labels, redrawn: (n) each, real targets (n, c); readable by torch.load
/// steps.csv         means over training batches
/// evaluations.csv   exact loss and accuracies
/// timing.csv        seconds and examples per second
/// probes/           NAME.csv for each probe, and NAME/step_K.pt for those that report tensors
/// checkpoint.pt     the state to resume from; of a finished run, the one from which it goes on when its
/// limits
///                   are raised
/// checkpoint.previous.pt  the one before, in case the newest is damaged; removed when the run is finished
/// model.pt          the final weights, under the names of Python's state_dict
/// outcome.json      written last: why and where the run ended
struct RunDirectory {
  explicit RunDirectory(std::filesystem::path folder) : path(std::move(folder)) {}

  std::filesystem::path description() const { return path / "run.yaml"; }
  std::filesystem::path provenance() const { return path / "provenance.json"; }
  std::filesystem::path labels() const { return path / "labels.pt"; }
  std::filesystem::path steps() const { return path / "steps.csv"; }
  std::filesystem::path evaluations() const { return path / "evaluations.csv"; }
  std::filesystem::path timing() const { return path / "timing.csv"; }
  std::filesystem::path probes() const { return path / "probes"; }
  std::filesystem::path checkpoint() const { return path / "checkpoint.pt"; }
  std::filesystem::path previous_checkpoint() const { return path / "checkpoint.previous.pt"; }
  std::filesystem::path model() const { return path / "model.pt"; }
  std::filesystem::path outcome() const { return path / "outcome.json"; }
  std::filesystem::path log() const { return path / "log.txt"; }

  bool finished() const { return std::filesystem::exists(outcome()); }
  bool has_checkpoint() const {
    return std::filesystem::exists(checkpoint()) || std::filesystem::exists(previous_checkpoint());
  }
  bool resumable() const { return !finished() && has_checkpoint(); }
  /// Whether there is something to go on from, or that is done.
  bool begun() const { return finished() || has_checkpoint(); }

  std::filesystem::path path;
};

/// Holds a run's folder while it is trained: what was seen in the folder before may have changed until then,
/// and changes no more. Throws DataError when another process holds it or the file system has no locks.
class RunLock {
 public:
  explicit RunLock(const RunDirectory& directory);
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

  /// The lock, or none while another process holds it.
  static std::optional<RunLock> if_free(const RunDirectory& directory);

 private:
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

/// The three series of a run, one row at a time. Numbers have 17 significant digits, so nothing is lost.
class RunSeries {
 public:
  /// Starts the files afresh, or cuts them to the lengths that `resume_from` remembers. Throws DataError when
  /// rows up to there are not those that were written.
  RunSeries(const RunDirectory& directory, const Archive* resume_from);

  void add(const Interval& interval);
  void add(const Evaluation& evaluation);
  void add_timing(int64_t step, double training_seconds, double evaluation_seconds,
                  double examples_per_second);

  /// Forces the rows to the disk and returns the files' lengths and checksums, for a checkpoint.
  Archive save();

 private:
  AppendFile steps_, evaluations_, timing_;
};

}  // namespace plumb
