/// Runs as child processes: some at a time, each with its share of the cores and its GPU.
#pragma once

#include <string>
#include <vector>

#include "plumb/command_line/interruption.hpp"
#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/run_directory.hpp"

namespace plumb {

struct Job {
  PlannedRun planned;
  RunDirectory directory;
  std::string obstacle;  // what is wrong with its folder: it fails with these words and is not started
};

struct JobResult {
  enum class Kind { finished, failed, interrupted } kind = Kind::failed;
  std::string message;  // the outcome, or what went wrong
};

struct JobsOptions {
  int64_t at_once = 1;
  int64_t threads = 1;       // CPU threads of each, where the run does not fix them
  int64_t cuda_devices = 0;  // shared out in turn among the runs that ask for "cuda" or "auto"
  std::string data_folder;
};

/// Runs all jobs and returns what became of each, in the same order. One failing, in whatever way, does not
/// stop the others. An interruption() makes every running child save and stop, and no further one start.
std::vector<JobResult> run_jobs(const std::vector<Job>& jobs, const JobsOptions& options);

}  // namespace plumb
