/// An experiment's folder: which of its runs are there, and what is to be done for the others.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/run_directory.hpp"

namespace plumb {

struct LaidOutRun {
  enum class State { to_do, done, refused };

  PlannedRun planned;  // its id is the folder's name
  RunDirectory directory;
  State state = State::to_do;
  std::string refusal;  // why it cannot be done
};

struct Layout {
  std::vector<LaidOutRun> runs;    // in the order of the experiment
  std::vector<std::string> notes;  // what was found that is worth a word
};

/// Makes the folders of an experiment's runs in `folder`, which exists, and writes their descriptions. A run
/// whose course is already there (see Run::fingerprint), under whatever name, is not begun again:
/// - finished, it is done, or goes on when its limits were raised;
/// - unfinished, it goes on with the limits asked for now and the probes it has;
/// - begun and then edited, it is refused, and so is one that should go on and has no checkpoint left.
Layout lay_out(const Experiment& experiment, const std::filesystem::path& folder);

}  // namespace plumb
