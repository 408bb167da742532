/// Progress as text: over a pipe from a run to its parent, and from there to a person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/experiment/runner.hpp"

namespace plumb {

/// Where a run finds the pipe to its parent.
inline constexpr int progress_descriptor = 3;

/// One line of JSON, and back; nothing when the line is not one.
std::string encode_progress(const Progress& progress);
std::optional<Progress> decode_progress(const std::string& line);

/// "epoch 3.2/30  loss 1.234  train 54.1 %  test 10.2 %  2:31 left  8123 examples/s": loss and training
/// accuracy are this epoch's so far, or the last evaluation's before its first batch; what is not known yet
/// is left out. "at most 2:31 left" where a target may end the run before its limit.
std::string progress_line(const Progress& progress);

/// "2:31", "1:02:31"
std::string duration_text(double seconds);

/// What is known of the time one run of a sweep takes.
struct JobTime {
  enum class State { waiting, running, done } state = State::waiting;
  double spent = 0;            // seconds since it was started here
  std::optional<double> left;  // of a running one, when it can be told
};

/// Seconds until all are done, with as many at a time as run now; runs that wait take what the others take.
/// Nothing while that cannot be told, or none is left.
std::optional<double> sweep_time_left(const std::vector<JobTime>& jobs);

/// Shows runs under way: lines that renew themselves on a terminal, else a plain line now and then.
class ProgressDisplay {
 public:
  /// `names`: one per job.
  explicit ProgressDisplay(std::vector<std::string> names);
  ~ProgressDisplay();

  void started(size_t job);
  void progressed(size_t job, const Progress& progress);
  /// A remark of the run itself, kept as a line of its own.
  void noted(size_t job, const std::string& note);
  void finished(size_t job, const std::string& message);

 private:
  struct Shown {
    std::string name;
    JobTime::State state = JobTime::State::waiting;
    std::optional<Progress> latest;
    double started_at = 0, ended_at = 0;
    double printed_at = 0;
  };

  void erase_live_lines();
  void draw_live_lines();
  void print_line(size_t job, const std::string& text);
  std::string prefix(size_t job) const;
  std::string sweep_line() const;

  std::vector<Shown> jobs_;
  size_t name_width_ = 0;
  bool terminal_;
  size_t live_lines_ = 0;
  double drawn_at_ = 0;
};

}  // namespace plumb
