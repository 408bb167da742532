#include "plumb/report/gnuplot.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/text.hpp"

extern char** environ;

namespace plumb {
namespace {

/// A new folder, removed with its files at the end of the scope.
class PlotFolder {
 public:
  PlotFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "plumb-figure-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw DataError(fmt::format("{}: cannot make a temporary folder: {}", name, std::strerror(errno)));
    path_ = name;
  }
  PlotFolder(const PlotFolder&) = delete;
  PlotFolder& operator=(const PlotFolder&) = delete;
  ~PlotFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
}

/// Starts `gnuplot --default-settings script` with stdout and stderr going to `log`, which it closes.
pid_t start_gnuplot(std::string script, int log) {
  std::string program = "gnuplot";
  std::string option = "--default-settings";  // the user's ~/.gnuplot must not change figures
  std::array<char*, 4> arguments{program.data(), option.data(), script.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
  pid_t process = 0;
  const int error = ::posix_spawnp(&process, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(log);
  if (error == 0) return process;
  throw DataError(
      fmt::format("gnuplot: cannot be started: {}; figures need the program gnuplot on PATH (packages "
                  "gnuplot-nox, gnuplot)",
                  std::strerror(error)));
}

}  // namespace

std::string run_gnuplot(std::string_view script) {
  const PlotFolder folder;
  const std::filesystem::path figure = folder / "figure.svg";
  write_file_atomically(folder / "figure.gp",
                        fmt::format("set output {}\n{}", gnuplot_string(figure.string()), script));
  std::array<int, 2> log{};
  if (::pipe2(log.data(), O_CLOEXEC) != 0)
    throw DataError(fmt::format("gnuplot: cannot be started: {}", std::strerror(errno)));
  std::string said;
  pid_t process = 0;
  try {
    process = start_gnuplot((folder / "figure.gp").string(), log[1]);
    said = read_all(log[0]);
  } catch (...) {
    ::close(log[0]);
    throw;
  }
  ::close(log[0]);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !std::filesystem::exists(figure))
    throw DataError(fmt::format("gnuplot: drew no figure: {}", said.empty() ? "it said nothing" : said));
  return read_file(figure);
}

std::string gnuplot_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : plain_line(text)) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

}  // namespace plumb
