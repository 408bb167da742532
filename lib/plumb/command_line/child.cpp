#include "plumb/command_line/child.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/command_line/progress.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/system_call.hpp"

extern char** environ;

namespace plumb {
namespace {

constexpr size_t longest_line = 1 << 16;  // of what a child has to say; whatever is longer is not for us

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
  return {"plumb",     "train",    job.directory.path.string(), "--data", options.data_folder, "--axes",
          axes.dump(), "--parent", std::to_string(::getpid())};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void not_started(std::string_view what, int error) {
  throw DataError(fmt::format("{}: {}", what, std::strerror(error)));
}

/// What a JSON object says under a key, where that is a text.
std::string text_in(const nlohmann::json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Child::Child(const Job& job, const JobsOptions& options, int64_t slot) : directory_(job.directory) {
  std::vector<std::string> arguments = child_arguments(options, job);
  std::vector<std::string> environment = child_environment(options, job, slot);
  const std::string log = directory_.log().string();
  const int output =
      uninterrupted([&] { return ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644); });
  if (output < 0) not_started(log + ": cannot write", errno);
  log_begin_ = static_cast<int64_t>(::lseek(output, 0, SEEK_END));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    const int error = errno;
    ::close(output);
    not_started("cannot make a pipe to a run", error);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], progress_descriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: a terminal's Ctrl-C reaches only the parent, which passes it on once.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawn(&process_, "/proc/self/exe", &actions, &attributes,
                                  pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(output);
  ::close(ends[1]);
  if (error != 0) {
    process_ = 0;
    ::close(ends[0]);
    not_started("cannot start a run", error);
  }
  pipe_ = ends[0];
}

Child::Child(Child&& other) noexcept : directory_(other.directory_) { swap(other); }

Child& Child::operator=(Child&& other) noexcept {
  swap(other);
  return *this;
}

Child::~Child() {
  if (pipe_ >= 0) ::close(pipe_);
  // Only when something was thrown: the process is not left without a parent.
  if (process_ > 0) interrupt();
}

void Child::swap(Child& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(process_, other.process_);
  std::swap(status_, other.status_);
  std::swap(pipe_, other.pipe_);
  std::swap(log_begin_, other.log_begin_);
  std::swap(unread_, other.unread_);
  std::swap(error_, other.error_);
  std::swap(notes_, other.notes_);
}

std::vector<Progress> Child::listen() {
  std::vector<Progress> said;
  std::array<char, 4096> buffer{};
  // Not until the pipe is empty: who writes without end is heard for a while.
  for (int i = 0; i < 64 && pipe_ >= 0; ++i) {
    const ssize_t count = uninterrupted([&] { return ::read(pipe_, buffer.data(), buffer.size()); });
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0) {
      ::close(std::exchange(pipe_, -1));
      break;
    }
    unread_.append(buffer.data(), static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end; (end = unread_.find('\n', begin)) != std::string::npos; begin = end + 1)
      hear(unread_.substr(begin, end - begin), said);
    unread_.erase(0, begin);
    if (unread_.size() > longest_line) unread_.clear();
  }
  return said;
}

void Child::hear(const std::string& line, std::vector<Progress>& said) {
  if (auto progress = decode_progress(line)) {
    said.push_back(*progress);
    return;
  }
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (std::string note = text_in(json, "note"); !note.empty()) notes_.push_back(std::move(note));
  if (std::string error = text_in(json, "error"); !error.empty()) error_ = std::move(error);
}

void Child::interrupt() const { ::kill(process_, SIGINT); }

bool Child::ended() {
  if (process_ <= 0) return true;
  const pid_t ended = uninterrupted([&] { return ::waitpid(process_, &status_, WNOHANG); });
  if (ended == 0) return false;
  if (ended < 0) status_ = W_EXITCODE(status_failed, 0);  // somebody else waited for it
  process_ = 0;
  return true;
}

JobResult Child::result() const {
  using Kind = JobResult::Kind;
  const std::string log = directory_.log().string();
  if (WIFSIGNALED(status_)) {
    const int signal = WTERMSIG(status_);
    // It had not got as far as to save when it is told.
    if (signal == SIGINT || signal == SIGTERM) return {Kind::interrupted, "interrupted"};
    return {Kind::failed,
            fmt::format("killed by signal {} ({}){}{}; see {}", signal, ::strsignal(signal),
                        signal == SIGKILL ? ", perhaps for want of memory" : "", last_words(), log)};
  }
  const int code = WEXITSTATUS(status_);
  if (code == status_interrupted) return {Kind::interrupted, "saved"};
  if (code != status_done)
    return {Kind::failed,
            error_.empty() ? fmt::format("exit status {}{}; see {}", code, last_words(), log) : error_};
  try {
    const std::string outcome =
        text_in(nlohmann::json::parse(read_file(directory_.outcome()), nullptr, false), "outcome");
    if (!outcome.empty()) return {Kind::finished, outcome};
    return {Kind::failed, fmt::format("{}: says nothing of an outcome", directory_.outcome().string())};
  } catch (const DataError& error) {
    return {Kind::failed, error.what()};
  }
}

/// The last line it printed, for those that end without a word on the pipe.
std::string Child::last_words() const {
  try {
    std::string text = read_file(directory_.log());
    text.erase(0, static_cast<size_t>(std::max<int64_t>(0, log_begin_)));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    const std::string line = text.substr(text.rfind('\n') + 1);
    constexpr size_t enough = 300;
    return line.empty() ? "" : ": " + line.substr(0, enough);
  } catch (const std::exception&) {
    return "";
  }
}

}  // namespace plumb
