#include "support/program.hpp"

#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plumb::test {
namespace {

pid_t start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
            int output) {
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("cannot fork");
  if (process > 0) return process;
  ::setpgid(0, 0);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  for (const std::string& entry : environment) ::putenv(const_cast<char*>(entry.c_str()));
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

}  // namespace

int wait_for(pid_t process) {
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  const pid_t process = start(arguments, environment, ends[1]);
  ::close(ends[1]);
  ProgramResult result;
  char buffer[4096];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof(buffer))) > 0;)
    result.output.append(buffer, static_cast<size_t>(count));
  ::close(ends[0]);
  result.status = wait_for(process);
  return result;
}

pid_t start_program(const std::vector<std::string>& arguments) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t process = start(arguments, {}, nowhere);
  ::close(nowhere);
  return process;
}

}  // namespace plumb::test
