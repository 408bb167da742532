/// Progress as text: over a pipe from a run to its parent, and from there to a person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/experiment/runner.hpp"

namespace plumb {

/// One line of JSON, and back; nothing when the line is not one.
std::string encode_progress(const Progress& progress);
std::optional<Progress> decode_progress(const std::string& line);

/// "epoch 3.2/30  loss 1.234  train 54.1 %  test 10.2 %  at most 2:31 left  8123 examples/s"
std::string progress_line(const Progress& progress);

/// "2:31", "1:02:31"
std::string duration_text(double seconds);

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
  void erase_live_lines();
  void draw_live_lines();
  void print_line(size_t job, const std::string& text);

  std::vector<std::string> names_;
  std::vector<std::optional<Progress>> latest_;
  std::vector<bool> running_;
  std::vector<double> printed_at_;
  size_t name_width_ = 0;
  bool terminal_;
  size_t live_lines_ = 0;
  double drawn_at_ = 0;
};

}  // namespace plumb
