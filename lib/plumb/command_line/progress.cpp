#include "plumb/command_line/progress.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "plumb/command_line/output.hpp"

namespace plumb {
namespace {

using Json = nlohmann::json;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// JSON has no NaN; null stands for it.
double number_or_nan(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : not_defined;
}

size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

std::string percent(double value) { return fmt::format("{:5.1f} %", 100 * value); }

/// By the first limit that will be met; nothing before that can be told.
std::optional<double> seconds_left(const Progress& progress) {
  const double done = progress.fraction_done;
  if (!(done > 0) || !(progress.seconds >= 0)) return std::nullopt;
  return progress.seconds * (1 - std::min(done, 1.0)) / done;
}

constexpr double plain_line_interval = 10;  // seconds between plain lines of one run

}  // namespace

std::string encode_progress(const Progress& progress) {
  const Json json{{"step", progress.step},
                  {"epoch", progress.epoch},
                  {"max_epochs", progress.max_epochs},
                  {"fraction_done", progress.fraction_done},
                  {"has_target", progress.has_target},
                  {"loss", progress.loss},
                  {"accuracy", progress.accuracy},
                  {"train_loss", progress.fit.train_loss},
                  {"train_accuracy", progress.fit.train_accuracy},
                  {"test_accuracy", progress.fit.test_accuracy},
                  {"examples_per_second", progress.examples_per_second},
                  {"seconds", progress.seconds},
                  {"resumed", progress.resumed}};
  return json.dump() + "\n";
}

std::optional<Progress> decode_progress(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return std::nullopt;
  Progress progress;
  progress.step = json["step"].get<int64_t>();
  progress.epoch = number_or_nan(json, "epoch");
  progress.max_epochs = number_or_nan(json, "max_epochs");
  progress.fraction_done = number_or_nan(json, "fraction_done");
  progress.has_target = json.value("has_target", true);
  progress.loss = number_or_nan(json, "loss");
  progress.accuracy = number_or_nan(json, "accuracy");
  progress.fit.train_loss = number_or_nan(json, "train_loss");
  progress.fit.train_accuracy = number_or_nan(json, "train_accuracy");
  progress.fit.test_accuracy = number_or_nan(json, "test_accuracy");
  progress.examples_per_second = number_or_nan(json, "examples_per_second");
  progress.seconds = number_or_nan(json, "seconds");
  progress.resumed = json.contains("resumed") && json["resumed"] == true;
  return progress;
}

std::string duration_text(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (total >= 3600) return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string progress_line(const Progress& progress) {
  std::string line = fmt::format("epoch {:.1f}", progress.epoch);
  if (progress.max_epochs > 0) line += fmt::format("/{:g}", progress.max_epochs);
  const auto either = [](double first, double second) { return std::isnan(first) ? second : first; };
  const double loss = either(progress.loss, progress.fit.train_loss);
  const double train = either(progress.accuracy, progress.fit.train_accuracy);
  if (!std::isnan(loss)) line += fmt::format("  loss {:.4f}", loss);
  if (!std::isnan(train)) line += "  train " + percent(train);
  if (!std::isnan(progress.fit.test_accuracy)) line += "  test " + percent(progress.fit.test_accuracy);
  if (const auto left = seconds_left(progress); left && *left > 0)
    line += fmt::format("  {}{} left", progress.has_target ? "at most " : "", duration_text(*left));
  if (progress.examples_per_second > 0)
    line += fmt::format("  {:.0f} examples/s", progress.examples_per_second);
  return line;
}

std::optional<double> sweep_time_left(const std::vector<JobTime>& jobs) {
  double known = 0, left = 0, longest = 0;
  int64_t counted = 0, running = 0, waiting = 0, untold = 0;
  for (const JobTime& job : jobs) {
    waiting += job.state == JobTime::State::waiting ? 1 : 0;
    running += job.state == JobTime::State::running ? 1 : 0;
    if (job.state == JobTime::State::waiting) continue;
    if (job.state == JobTime::State::running && !job.left) {
      ++untold;
      continue;
    }
    known += job.spent + job.left.value_or(0);
    left += job.left.value_or(0);
    longest = std::max(longest, job.left.value_or(0));
    ++counted;
  }
  if (counted == 0 || running + waiting == 0) return std::nullopt;
  const double usual = known / static_cast<double>(counted);
  left += usual * static_cast<double>(waiting + untold);
  return std::max(longest, left / static_cast<double>(std::max<int64_t>(1, running)));
}

ProgressDisplay::ProgressDisplay(std::vector<std::string> names)
    : jobs_(names.size()), terminal_(::isatty(STDOUT_FILENO) == 1) {
  for (size_t job = 0; job < names.size(); ++job) {
    name_width_ = std::max(name_width_, names[job].size());
    jobs_[job].name = std::move(names[job]);
  }
}

ProgressDisplay::~ProgressDisplay() { erase_live_lines(); }

void ProgressDisplay::started(size_t job) {
  jobs_[job].state = JobTime::State::running;
  jobs_[job].started_at = jobs_[job].printed_at = steady_seconds();
  if (!terminal_) print_line(job, "started");
}

void ProgressDisplay::progressed(size_t job, const Progress& progress) {
  Shown& shown = jobs_[job];
  if (!shown.latest && progress.resumed) print_line(job, fmt::format("resumed at step {}", progress.step));
  shown.latest = progress;
  const double now = steady_seconds();
  if (terminal_) {
    if (now - drawn_at_ < 0.1) return;
    erase_live_lines();
    draw_live_lines();
  } else if (now - shown.printed_at >= plain_line_interval) {
    const std::string sweep = sweep_line();
    print_line(job, progress_line(progress) + (sweep.empty() ? "" : "  (" + sweep + ")"));
    shown.printed_at = now;
  }
}

void ProgressDisplay::noted(size_t job, const std::string& note) { print_line(job, note); }

void ProgressDisplay::finished(size_t job, const std::string& message) {
  Shown& shown = jobs_[job];
  shown.state = JobTime::State::done;
  shown.ended_at = steady_seconds();
  std::string text = message;
  if (shown.latest)
    text += fmt::format("  ({} steps, {})", shown.latest->step, duration_text(shown.latest->seconds));
  print_line(job, text);
}

void ProgressDisplay::print_line(size_t job, const std::string& text) {
  erase_live_lines();
  say("{}{}\n", prefix(job), text);
  draw_live_lines();
}

/// "run 3 of 8  0.1-seed2-1a2b3c4d  "
std::string ProgressDisplay::prefix(size_t job) const {
  const std::string count = fmt::format("{}", jobs_.size());
  return fmt::format("run {:>{}} of {}  {:<{}}  ", job + 1, count.size(), count, jobs_[job].name,
                     name_width_);
}

/// "3 of 8 runs done, about 2:31 left"; empty when there is but one.
std::string ProgressDisplay::sweep_line() const {
  if (jobs_.size() < 2) return {};
  std::vector<JobTime> times;
  size_t done = 0;
  bool target = false;
  for (const Shown& shown : jobs_) {
    JobTime& time = times.emplace_back();
    time.state = shown.state;
    if (shown.state == JobTime::State::waiting) continue;
    const bool ended = shown.state == JobTime::State::done;
    done += ended ? 1 : 0;
    time.spent = (ended ? shown.ended_at : steady_seconds()) - shown.started_at;
    if (ended || !shown.latest) continue;
    time.left = seconds_left(*shown.latest);
    target = target || shown.latest->has_target;
  }
  std::string line = fmt::format("{} of {} runs done", done, jobs_.size());
  if (const auto left = sweep_time_left(times))
    line += fmt::format(", {} {} left in all", target ? "at most" : "about", duration_text(*left));
  return line;
}

void ProgressDisplay::erase_live_lines() {
  if (live_lines_ > 0) say("\x1b[{}A\x1b[J", live_lines_);
  live_lines_ = 0;
  flush_output();
}

void ProgressDisplay::draw_live_lines() {
  if (terminal_) {
    const size_t width = terminal_width();
    const auto draw = [&](const std::string& line) {
      say("{}\n", line.substr(0, width - 1));
      ++live_lines_;
    };
    for (size_t job = 0; job < jobs_.size(); ++job)
      if (jobs_[job].state == JobTime::State::running && jobs_[job].latest)
        draw(prefix(job) + progress_line(*jobs_[job].latest));
    if (live_lines_ > 0 && jobs_.size() > 1) draw(sweep_line());
    drawn_at_ = steady_seconds();
  }
  flush_output();
}

}  // namespace plumb
