#include "plumb/command_line/jobs.hpp"

#include <algorithm>

#include <poll.h>

#include "plumb/command_line/child.hpp"
#include "plumb/command_line/progress.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

std::vector<std::string> job_names(const std::vector<Job>& jobs) {
  std::vector<std::string> names;
  for (const Job& job : jobs) names.push_back(job.planned.id);
  return names;
}

struct RunningJob {
  size_t job;
  int64_t slot;
  Child child;
};

/// The jobs under way and those still to come.
class Pool {
 public:
  Pool(const std::vector<Job>& jobs, const JobsOptions& options)
      : jobs_(jobs), options_(options), results_(jobs.size()), display_(job_names(jobs)) {
    for (int64_t slot = 0; slot < options.at_once; ++slot) free_slots_.push_back(slot);
  }

  std::vector<JobResult> run() {
    while (true) {
      while (!interruption() && next_ < jobs_.size() && !free_slots_.empty()) start_next();
      if (running_.empty()) break;
      if (interruption() && !told_) tell_children();
      wait_for_news();
      take_news();
    }
    for (; next_ < jobs_.size(); ++next_) results_[next_] = {JobResult::Kind::interrupted, "not started"};
    return std::move(results_);
  }

 private:
  void start_next() {
    const size_t job = next_++;
    const int64_t slot = free_slots_.front();
    try {
      if (!jobs_[job].obstacle.empty()) throw DataError(jobs_[job].obstacle);
      running_.push_back({job, slot, Child(jobs_[job], options_, slot)});
      free_slots_.erase(free_slots_.begin());
      display_.started(job);
    } catch (const Error& error) {
      results_[job] = {JobResult::Kind::failed, error.what()};
      display_.finished(job, error.what());
    }
  }

  void tell_children() {
    for (const RunningJob& running : running_) running.child.interrupt();
    told_ = true;
  }

  void wait_for_news() {
    std::vector<pollfd> pipes;
    for (const RunningJob& running : running_)
      if (running.child.pipe() >= 0) pipes.push_back({running.child.pipe(), POLLIN, 0});
    // A closed pipe says nothing any more, and most processes end soon after closing it.
    constexpr int soon = 10, later = 200;  // milliseconds
    ::poll(pipes.data(), pipes.size(), pipes.size() < running_.size() ? soon : later);
  }

  void take_news() {
    for (size_t i = running_.size(); i-- > 0;) {
      auto& [job, slot, child] = running_[i];
      const bool ended = child.ended();
      for (const Progress& progress : child.listen()) display_.progressed(job, progress);
      for (const std::string& note : child.take_notes()) display_.noted(job, note);
      if (!ended) continue;
      results_[job] = child.result();
      display_.finished(job, results_[job].message);
      free_slots_.push_back(slot);
      std::sort(free_slots_.begin(), free_slots_.end());
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  const std::vector<Job>& jobs_;
  const JobsOptions& options_;
  std::vector<JobResult> results_;
  ProgressDisplay display_;
  std::vector<int64_t> free_slots_;
  std::vector<RunningJob> running_;
  size_t next_ = 0;
  bool told_ = false;
};

}  // namespace

std::vector<JobResult> run_jobs(const std::vector<Job>& jobs, const JobsOptions& options) {
  interruption();
  return Pool(jobs, options).run();
}

}  // namespace plumb
