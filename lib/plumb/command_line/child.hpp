/// A run in a process of its own: started, listened to, told to stop, and what became of it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "plumb/command_line/jobs.hpp"
#include "plumb/experiment/runner.hpp"

namespace plumb {

/// A process with a log that takes what it prints, and a pipe on which it says how far it came and what went
/// wrong. Nothing it says or does, and no way to die, harms its parent.
class Child {
 public:
  /// Starts `plumb train` for a job with the CPU threads and the GPU of its `slot`. Throws DataError when its
  /// log cannot be written or there is no room for another process.
  Child(const Job& job, const JobsOptions& options, int64_t slot);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// The pipe to wait for; -1 once it is closed.
  int pipe() const { return pipe_; }

  /// What it said since the last time, without waiting.
  std::vector<Progress> listen();

  /// The remarks that it made until then, each once.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

  /// Asks it to save and stop.
  void interrupt() const;

  /// True once its process has ended; the pipe then holds the last that it said.
  bool ended();

  /// What became of it, after it ended and was listened to.
  JobResult result() const;

 private:
  void hear(const std::string& line, std::vector<Progress>& said);
  std::string last_words() const;
  void swap(Child& other) noexcept;

  RunDirectory directory_;
  pid_t process_ = 0;  // 0: none that would have to be waited for
  int status_ = 0;     // as waitpid tells it
  int pipe_ = -1;
  int64_t log_begin_ = 0;           // where this process's part of the log begins
  std::string unread_;              // the beginning of a line not yet complete
  std::vector<std::string> notes_;  // remarks not yet taken
  std::string error_;               // what it said went wrong
};

}  // namespace plumb
