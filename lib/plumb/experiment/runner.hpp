/// One run from its description to its finished folder; an interrupted one is taken up where its checkpoint
/// stands.
#pragma once

#include <atomic>
#include <functional>

#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/run_directory.hpp"

namespace plumb {

/// What a running run says of itself, about twice a second.
struct Progress {
  int64_t step = 0;
  double epoch = 0;
  double max_epochs = 0;      // 0: not limited by epochs
  double fraction_done = 0;   // of the first limit that will be met, 0 .. 1
  bool has_target = true;     // a training accuracy or loss may end it before any limit does
  double loss = not_defined;  // mean over this epoch's batches so far
  double accuracy = not_defined;
  Fit fit;  // of the last evaluation
  double examples_per_second = 0;
  double seconds = 0;  // in training and evaluation, over all sittings
  bool resumed = false;
};

struct RunnerOptions {
  std::filesystem::path data_folder;
  std::function<void(const Progress&)> progress;          // may be empty
  std::function<void(const std::string&)> note;           // what is worth a word to people; may be empty
  const std::atomic<bool>* stop = nullptr;                // set from outside to save and return
  std::vector<std::pair<std::string, std::string>> axes;  // recorded in provenance.json
};

/// Trains the run described by `run` in `directory`, which exists; returns how it ended. A finished run
/// returns its outcome at once, unless it would not have ended there with the limits and targets of `run`
/// (training.stop): then it goes on, to the bits of a run that had these from its start. run.yaml is written
/// when it is missing or had other limits.
///
/// Throws ConfigError, DataError; whatever was saved before then stays and can be resumed. Among them: the
/// folder was begun with another description or with other data than there are now (both are named), no
/// checkpoint can be read, a finished run has none left to go on from.
Outcome execute(const Run& run, const RunDirectory& directory, const RunnerOptions& options);

}  // namespace plumb
