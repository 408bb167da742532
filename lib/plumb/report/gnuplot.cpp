#include "plumb/report/gnuplot.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/system_call.hpp"
#include "plumb/core/text.hpp"

extern char** environ;

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view took_too_long = "it took too long and was ended";

[[noreturn]] void gnuplot_failed(std::string_view what) {
  throw DataError(fmt::format("gnuplot: drew no figure: {}", what));
}

/// A pipe of which each end is closed at the end of the scope or before.
class GnuplotPipe {
 public:
  GnuplotPipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw DataError(fmt::format("gnuplot: cannot be started: {}", std::strerror(errno)));
  }
  GnuplotPipe(const GnuplotPipe&) = delete;
  GnuplotPipe& operator=(const GnuplotPipe&) = delete;
  ~GnuplotPipe() {
    close_reader();
    close_writer();
  }

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close(ends_[0]); }
  void close_writer() { close(ends_[1]); }

 private:
  static void close(int& end) {
    if (end >= 0) ::close(std::exchange(end, -1));
  }

  std::array<int, 2> ends_{};
};

/// While it lives, writing to a pipe that nobody reads is an error and no signal.
class IgnoredSigpipe {
 public:
  IgnoredSigpipe() : before_(::signal(SIGPIPE, SIG_IGN)) {}
  IgnoredSigpipe(const IgnoredSigpipe&) = delete;
  IgnoredSigpipe& operator=(const IgnoredSigpipe&) = delete;
  ~IgnoredSigpipe() { ::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int);
};

/// `gnuplot --default-settings -`, which reads its script, draws and complains through pipes. It leads a
/// process group, and none of that outlives the object.
class Gnuplot {
 public:
  Gnuplot() {
    std::string program = "gnuplot", option = "--default-settings",
                script = "-";  // not the user's ~/.gnuplot
    std::array<char*, 4> arguments{program.data(), option.data(), script.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, script_.reader(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, figure_.writer(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, complaints_.writer(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const int error =
        ::posix_spawnp(&process_, program.c_str(), &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    script_.close_reader();
    figure_.close_writer();
    complaints_.close_writer();
    if (error == 0) return;
    process_ = 0;
    throw DataError(
        fmt::format("gnuplot: cannot be started: {}; figures need the program gnuplot on PATH (packages "
                    "gnuplot-nox, gnuplot)",
                    std::strerror(error)));
  }
  Gnuplot(const Gnuplot&) = delete;
  Gnuplot& operator=(const Gnuplot&) = delete;
  ~Gnuplot() {
    if (process_ <= 0) return;
    ::kill(-process_, SIGKILL);
    uninterrupted([&] { return ::waitpid(process_, nullptr, 0); });
  }

  /// Passes the script on and takes what it answers, until it has closed its pipes.
  void converse(std::string_view script, Clock::time_point end) {
    const IgnoredSigpipe ignored;
    // Both write and read wait for the other side: none of them may be kept waiting here.
    for (const int pipe : {script_.writer(), figure_.reader(), complaints_.reader()})
      ::fcntl(pipe, F_SETFL, O_NONBLOCK);
    while (figure_.reader() >= 0 || complaints_.reader() >= 0) {
      std::array<pollfd, 3> waits{
          {{script_.writer(), POLLOUT, 0}, {figure_.reader(), POLLIN, 0}, {complaints_.reader(), POLLIN, 0}}};
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0) gnuplot_failed(took_too_long);
      uninterrupted([&] { return ::poll(waits.data(), waits.size(), static_cast<int>(left)); });
      if (waits[0].revents != 0) send(script);
      if (waits[1].revents != 0) receive(figure_, svg);
      if (waits[2].revents != 0) receive(complaints_, said);
    }
  }

  /// How it ended, as waitpid tells it.
  int wait(Clock::time_point end) {
    int status = 0;
    while (uninterrupted([&] { return ::waitpid(process_, &status, WNOHANG); }) == 0) {
      if (Clock::now() >= end) gnuplot_failed(took_too_long);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    process_ = 0;
    return status;
  }

  std::string svg, said;

 private:
  void send(std::string_view& script) {
    const ssize_t count =
        uninterrupted([&] { return ::write(script_.writer(), script.data(), script.size()); });
    if (count >= 0) script.remove_prefix(static_cast<size_t>(count));
    if (script.empty() || (count < 0 && errno != EAGAIN)) script_.close_writer();
  }

  static void receive(GnuplotPipe& pipe, std::string& text) {
    std::array<char, 1 << 16> buffer{};
    const ssize_t count = uninterrupted([&] { return ::read(pipe.reader(), buffer.data(), buffer.size()); });
    if (count > 0)
      text.append(buffer.data(), static_cast<size_t>(count));
    else if (count == 0 || errno != EAGAIN)
      pipe.close_reader();
  }

  GnuplotPipe script_, figure_, complaints_;
  pid_t process_ = 0;
};

/// True for a whole document: what was cut off has no end.
bool is_whole(std::string_view svg) {
  const size_t last = svg.find_last_not_of(" \t\r\n");
  return svg.find("<svg") != std::string_view::npos && last != std::string_view::npos &&
         svg.substr(0, last + 1).ends_with("</svg>");
}

}  // namespace

std::string run_gnuplot(std::string_view script, std::chrono::milliseconds patience) {
  Gnuplot gnuplot;
  const Clock::time_point end = Clock::now() + patience;
  gnuplot.converse(script, end);
  const int status = gnuplot.wait(end);
  const std::string_view said = gnuplot.said.empty() ? "it said nothing" : std::string_view(gnuplot.said);
  if (WIFSIGNALED(status))
    gnuplot_failed(fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status))));
  if (WEXITSTATUS(status) != 0) gnuplot_failed(said);
  if (!is_whole(gnuplot.svg)) gnuplot_failed(fmt::format("its SVG is incomplete; {}", said));
  return std::move(gnuplot.svg);
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
