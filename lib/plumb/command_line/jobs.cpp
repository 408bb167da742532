#include "plumb/command_line/jobs.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/command_line/progress.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"

extern char** environ;

namespace plumb {
namespace {

constexpr int progress_descriptor = 3;  // where a child finds its pipe

std::atomic<bool> interruption_arrived{false};

void note_interruption(int) { interruption_arrived = true; }

struct Child {
  size_t job;
  pid_t process;
  int pipe;
  std::string unread;  // the beginning of a line not yet complete
  std::string error;
  int64_t slot;
};

/// A resumed run keeps the thread count it was started with: sums in another order would not be the same
/// bits.
int64_t thread_count(const JobsOptions& options, const Job& job) {
  if (job.planned.run.compute.threads) return *job.planned.run.compute.threads;
  if (job.directory.has_checkpoint() && std::filesystem::exists(job.directory.provenance())) {
    const auto json = nlohmann::json::parse(read_file(job.directory.provenance()), nullptr, false);
    if (json.is_object() && json.contains("threads") && json["threads"].is_number_integer())
      return json["threads"].get<int64_t>();
  }
  return options.threads;
}

std::vector<std::string> child_environment(const JobsOptions& options, const Job& job, int64_t slot) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    variables[text.substr(0, equals)] = equals == std::string::npos ? "" : text.substr(equals + 1);
  }
  const std::string threads = std::to_string(thread_count(options, job));
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    variables[name] = threads;
  // OpenMP threads that spin while they wait slow everything else on the machine down several times.
  variables.emplace("OMP_WAIT_POLICY", "passive");
  // cuBLAS gives the same result every time only with a fixed workspace.
  variables.emplace("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
  const std::string& device = job.planned.run.compute.device;
  if (options.cuda_devices > 1 && (device == "cuda" || device == "auto") &&
      !variables.contains("CUDA_VISIBLE_DEVICES"))
    variables["CUDA_VISIBLE_DEVICES"] = std::to_string(slot % options.cuda_devices);
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<std::string> child_arguments(const JobsOptions& options, const Job& job) {
  nlohmann::ordered_json axes = nlohmann::ordered_json::object();
  for (const auto& [axis, label] : job.planned.axes) axes[axis] = label;
  return {"plumb",  "train",    job.directory.path.string(), "--data", options.data_folder,
          "--axes", axes.dump()};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Child start(size_t index, const Job& job, const JobsOptions& options, int64_t slot) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const std::string log = job.directory.log().string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], progress_descriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: a terminal's Ctrl-C reaches only the parent, which passes it on once.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> arguments = child_arguments(options, job);
  std::vector<std::string> environment = child_environment(options, job, slot);
  pid_t process = 0;
  const int error = ::posix_spawn(&process, "/proc/self/exe", &actions, &attributes,
                                  pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    throw Error(fmt::format("cannot start a run: {}", std::strerror(error)));
  }
  return {index, process, ends[0], "", "", slot};
}

/// Reads what the child wrote; false at the end of its pipe.
bool read_lines(Child& child, ProgressDisplay& display) {
  char buffer[4096];
  const ssize_t count = ::read(child.pipe, buffer, sizeof(buffer));
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  child.unread.append(buffer, static_cast<size_t>(count));
  for (size_t end; (end = child.unread.find('\n')) != std::string::npos; child.unread.erase(0, end + 1)) {
    const std::string line = child.unread.substr(0, end);
    if (const auto progress = decode_progress(line)) {
      display.progressed(child.job, *progress);
      continue;
    }
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    if (json.contains("note")) display.noted(child.job, json.value("note", ""));
    if (json.contains("error")) child.error = json.value("error", "");
  }
  return true;
}

JobResult reap(const Child& child, const Job& job) {
  int status = 0;
  while (::waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  using Kind = JobResult::Kind;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return {Kind::failed, fmt::format("killed by signal {} ({}){}; see {}", signal, ::strsignal(signal),
                                      signal == SIGKILL ? ", perhaps for want of memory" : "",
                                      job.directory.log().string())};
  }
  const int code = WEXITSTATUS(status);
  if (code == kDone) {
    const auto outcome = nlohmann::json::parse(read_file(job.directory.outcome()), nullptr, false);
    return {Kind::finished, outcome.is_object() ? outcome.value("outcome", "") : ""};
  }
  if (code == kInterrupted) return {Kind::interrupted, "saved"};
  return {Kind::failed, child.error.empty()
                            ? fmt::format("exit status {}; see {}", code, job.directory.log().string())
                            : child.error};
}

std::vector<std::string> job_names(const std::vector<Job>& jobs) {
  std::vector<std::string> names;
  for (const Job& job : jobs) names.push_back(job.planned.id);
  return names;
}

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
    }
    for (; next_ < jobs_.size(); ++next_) results_[next_] = {JobResult::Kind::interrupted, "not started"};
    return std::move(results_);
  }

 private:
  void start_next() {
    const size_t job = next_++;
    const int64_t slot = free_slots_.front();
    free_slots_.erase(free_slots_.begin());
    running_.push_back(start(job, jobs_[job], options_, slot));
    display_.started(job);
  }

  void tell_children() {
    for (const Child& child : running_) ::kill(child.process, SIGINT);
    told_ = true;
  }

  void wait_for_news() {
    std::vector<pollfd> waits;
    for (const Child& child : running_) waits.push_back({child.pipe, POLLIN, 0});
    if (::poll(waits.data(), waits.size(), 200) <= 0) return;
    for (size_t i = waits.size(); i-- > 0;) {
      if (waits[i].revents == 0 || read_lines(running_[i], display_)) continue;
      const Child child = running_[i];
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      ::close(child.pipe);
      results_[child.job] = reap(child, jobs_[child.job]);
      free_slots_.push_back(child.slot);
      std::sort(free_slots_.begin(), free_slots_.end());
      display_.finished(child.job, results_[child.job].message);
    }
  }

  const std::vector<Job>& jobs_;
  const JobsOptions& options_;
  std::vector<JobResult> results_;
  ProgressDisplay display_;
  std::vector<int64_t> free_slots_;
  std::vector<Child> running_;
  size_t next_ = 0;
  bool told_ = false;
};

}  // namespace

const std::atomic<bool>& interruption() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_handler = note_interruption;
    // The second Ctrl-C ends the program at once; what was saved last stays.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  static_cast<void>(installed);
  return interruption_arrived;
}

std::vector<JobResult> run_jobs(const std::vector<Job>& jobs, const JobsOptions& options) {
  interruption();
  return Pool(jobs, options).run();
}

}  // namespace plumb
