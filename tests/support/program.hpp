/// Runs a program and says what it printed and how it ended.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace plumb::test {

struct ProgramResult {
  int status = 0;      // exit status, or 128 + signal
  std::string output;  // standard output and standard error together
};

/// `environment`: "NAME=value" entries added to this process's own.
ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {});

/// Starts a program in a process group of its own, its output thrown away.
pid_t start_program(const std::vector<std::string>& arguments);

/// Waits for it; the status as above.
int wait_for(pid_t process);

/// The plumb program of this build.
inline std::string plumb_program() { return PLUMB_PROGRAM; }

}  // namespace plumb::test
