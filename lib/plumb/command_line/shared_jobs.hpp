/// Jobs of a sweep that other programs may be at work on, too.
#pragma once

#include <vector>

#include "plumb/command_line/jobs.hpp"

namespace plumb {

/// Runs all jobs as run_jobs does. A run that another process trains is left to it while there is other work;
/// then it is waited for, and taken over when that process ends without finishing it.
std::vector<JobResult> run_shared_jobs(const std::vector<Job>& jobs, const JobsOptions& options);

}  // namespace plumb
