#include "plumb/command_line/shared_jobs.hpp"

#include <chrono>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "plumb/command_line/output.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/json_file.hpp"
#include "plumb/experiment/ending.hpp"

namespace plumb {
namespace {

/// Whether another process holds the lock of a run's folder at this moment.
bool held_by_another(const RunDirectory& directory) {
  const int descriptor = ::open((directory.path / "lock").c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return held;
}

/// Whether nothing is to be added to a run: what ended before its limits were raised is still to do.
bool done(const Job& job) {
  if (!job.obstacle.empty()) return false;
  try {
    const std::optional<Ending> ending = Ending::read(job.directory);
    return ending && !ending->goes_on(job.planned.run.training.stop);
  } catch (const Error&) {  // said where its outcome is asked for
    return true;
  }
}

/// How a run ended that another process finished.
JobResult finished_elsewhere(const RunDirectory& directory) {
  try {
    const Config json = load_json(directory.outcome());
    const Config* outcome = json.find("outcome");
    return {JobResult::Kind::finished, outcome == nullptr ? "" : outcome->text};
  } catch (const Error& error) {
    return {JobResult::Kind::failed, error.what()};
  }
}

/// The jobs not yet settled, and what became of the others.
class SharedJobs {
 public:
  SharedJobs(const std::vector<Job>& jobs, const JobsOptions& options)
      : jobs_(jobs), options_(options), results_(jobs.size()) {
    for (size_t job = 0; job < jobs.size(); ++job) open_.push_back(job);
  }

  std::vector<JobResult> run() {
    while (!open_.empty()) {
      settle_finished();
      const std::vector<size_t> free = take_free();
      if (!free.empty()) run_free(free);
      if (interruption()) break;
      if (free.empty() && !open_.empty()) wait();
    }
    for (const size_t job : open_)
      results_[job] = {JobResult::Kind::interrupted, "another process trains it"};
    return std::move(results_);
  }

 private:
  /// Of runs seen at work elsewhere; those finished before any of this are not among the jobs.
  void settle_finished() {
    std::erase_if(open_, [&](size_t job) {
      const RunDirectory& directory = jobs_[job].directory;
      if (!done(jobs_[job]) || held_by_another(directory)) return false;
      results_[job] = finished_elsewhere(directory);
      return true;
    });
  }

  std::vector<size_t> take_free() {
    std::vector<size_t> free;
    std::erase_if(open_, [&](size_t job) {
      if (held_by_another(jobs_[job].directory)) return false;
      free.push_back(job);
      return true;
    });
    return free;
  }

  void run_free(const std::vector<size_t>& free) {
    std::vector<Job> batch;
    for (const size_t job : free) batch.push_back(jobs_[job]);
    const std::vector<JobResult> results = run_jobs(batch, options_);
    for (size_t i = 0; i < free.size(); ++i) {
      const bool failed = results[i].kind == JobResult::Kind::failed;
      // Another process was faster: what failed is not the run.
      if (failed && (held_by_another(batch[i].directory) || done(batch[i])))
        open_.push_back(free[i]);
      else
        results_[free[i]] = results[i];
    }
  }

  void wait() {
    if (!told_) {
      std::vector<std::string> names;
      for (const size_t job : open_) names.push_back(jobs_[job].planned.id);
      say("waiting for {} run{} that another process trains: {}\n", names.size(),
          names.size() == 1 ? "" : "s", fmt::join(names, ", "));
      flush_output();
      told_ = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }

  const std::vector<Job>& jobs_;
  const JobsOptions& options_;
  std::vector<JobResult> results_;
  std::vector<size_t> open_;
  bool told_ = false;
};

}  // namespace

std::vector<JobResult> run_shared_jobs(const std::vector<Job>& jobs, const JobsOptions& options) {
  interruption();
  return SharedJobs(jobs, options).run();
}

}  // namespace plumb
