#include "plumb/core/replacement_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/system_call.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  std::string text = name.data();
  std::replace(text.begin(), text.end(), '/', '_');
  return text.substr(0, 64);
}

std::optional<pid_t> process_number(std::string_view digits) {
  pid_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number <= 0) return std::nullopt;
  return number;
}

/// The process on this host that wrote a file of this name; none where it is not a .part file of ours.
std::optional<pid_t> writer_of(std::string_view name) {
  constexpr std::string_view ending = ".part";
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  const size_t at = name.rfind('@');
  const bool names_host = at != std::string_view::npos;
  if (names_host && name.substr(at + 1) != host_name()) return std::nullopt;
  name = name.substr(0, at);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view number = name.substr(dot + 1), target = name.substr(0, dot);
  if (names_host) {
    const size_t dash = number.find('-');
    return dash == std::string_view::npos ? std::nullopt : process_number(number.substr(0, dash));
  }
  // Somebody else's volume.1.part is not ours to remove.
  for (const std::string_view written : {".pt", ".json", ".csv", ".yaml", ".html", ".svg", ".txt", ".md"})
    if (target.ends_with(written)) return process_number(number);
  return std::nullopt;
}

/// The number after `key` in a file of "key number" lines.
std::optional<double> number_after(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  double number = 0;
  for (std::string word; stream >> word;)
    if (word == key && stream >> number) return number;
  return std::nullopt;
}

struct ProcessStatus {
  bool ended = false;  // waits for its parent to ask how
  double started = 0;  // in seconds since 1970
};

/// None where the system does not say.
std::optional<ProcessStatus> status_of(pid_t process) {
  std::ifstream stream(fmt::format("/proc/{}/stat", process));
  const std::string line{std::istreambuf_iterator<char>(stream), {}};
  const size_t name_end = line.rfind(')');  // the second field, which may hold anything
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  ProcessStatus status;
  for (int i = 3; i <= 22; ++i) {
    if (!(fields >> field)) return std::nullopt;
    if (i == 3) status.ended = field == "Z" || field == "X";
  }
  const auto booted = number_after("/proc/stat", "btime");
  if (!booted) return std::nullopt;
  status.started =
      *booted + std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return status;
}

/// True when no process of this number can have written a file that was last changed at `changed`.
bool writer_is_gone(pid_t writer, double changed) {
  if (::kill(writer, 0) != 0) return errno == ESRCH;
  constexpr double clock_error = 3;  // the time of booting is given in whole seconds
  const auto status = status_of(writer);
  return status && (status->ended || status->started > changed + clock_error);
}

void remove_if_left_over(const fs::path& file, pid_t writer) {
  const int descriptor =
      uninterrupted([&] { return ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); });
  if (descriptor < 0) return;
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  // A lock tells of writers that have no number here, in other containers; not every file system has locks.
  const bool held =
      uninterrupted([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); }) != 0 && errno == EWOULDBLOCK;
  if (known && !held && writer_is_gone(writer, static_cast<double>(status.st_mtime))) ::unlink(file.c_str());
  ::close(descriptor);
}

void remove_leftovers_once(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<fs::path> seen;
  std::error_code error;
  const fs::path place = fs::absolute(folder, error);
  const std::lock_guard lock(mutex);
  if (!error && seen.insert(place).second) remove_leftovers(folder);
}

fs::path temporary_name(const fs::path& target) {
  static std::atomic<int64_t> written{0};
  static const std::string host = host_name();
  // Names may have 255 bytes; what comes before ours need not be whole.
  const std::string name = target.filename().string().substr(0, 150);
  return target.parent_path() / fmt::format("{}.{}-{}@{}.part", name, ::getpid(), ++written, host);
}

}  // namespace

ReplacementFile::ReplacementFile(fs::path target) : target_(std::move(target)) {
  remove_leftovers_once(target_.has_parent_path() ? target_.parent_path() : ".");
  for (int attempt = 0; attempt < 100; ++attempt) {
    path_ = temporary_name(target_);
    descriptor_ =
        uninterrupted([&] { return ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644); });
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) fail(errno);
    // Where there are no locks, the process's number must do.
    uninterrupted([&] { return ::flock(descriptor_, LOCK_EX); });
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || status.st_nlink > 0) return;
    ::close(descriptor_);  // taken for a leftover before it was locked
  }
  fail(EEXIST);
}

ReplacementFile::~ReplacementFile() {
  if (!placed_) ::unlink(path_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ReplacementFile::write(std::string_view bytes) {
  if (!write_all(descriptor_, bytes)) fail(errno);
}

void ReplacementFile::flush() {
  if (uninterrupted([&] { return ::fsync(descriptor_); }) != 0) fail(errno);
}

void ReplacementFile::replace() {
  // Network file systems tell of a failed write when the file is closed.
  const bool closed = ::close(std::exchange(descriptor_, -1)) == 0 || errno == EINTR;
  if (!closed) fail(errno);
  if (uninterrupted([&] { return ::rename(path_.c_str(), target_.c_str()); }) != 0) fail(errno);
  placed_ = true;
}

void ReplacementFile::fail(int error) const {
  throw DataError(fmt::format("{}: cannot write: {}", target_.string(), std::strerror(error)));
}

void remove_leftovers(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error))
    if (const auto writer = writer_of(entries->path().filename().string()))
      remove_if_left_over(entries->path(), *writer);
}

}  // namespace plumb
