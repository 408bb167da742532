#include "plumb/command_line/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace plumb {
namespace {

int first_error = 0;  // of standard output; -1: an unknown one

void note_error() {
  if (first_error == 0 && std::ferror(stdout) != 0) first_error = errno != 0 ? errno : -1;
}

}  // namespace

void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0)
      // Opened for the other direction: using it remains an error. The lowest free number is this one.
      static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

void say_text(std::string_view text) {
  errno = 0;
  std::fwrite(text.data(), 1, text.size(), stdout);
  note_error();
}

void complain(std::string_view message) {
  const std::string line = fmt::format("plumb: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int complain(int status, std::string_view message) {
  complain(message);
  return status;
}

void flush_output() {
  errno = 0;
  std::fflush(stdout);
  note_error();
}

bool all_output_arrived() {
  flush_output();
  if (first_error != 0)
    complain(fmt::format("standard output: cannot write{}{}", first_error > 0 ? ": " : "",
                         first_error > 0 ? std::strerror(first_error) : ""));
  return first_error == 0;
}

}  // namespace plumb
