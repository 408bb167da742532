#include "plumb/command_line/progress.hpp"

#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

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

constexpr double plain_line_interval = 10;  // seconds between plain lines of one run

}  // namespace

std::string encode_progress(const Progress& progress) {
  const Json json{{"step", progress.step},
                  {"epoch", progress.epoch},
                  {"max_epochs", progress.max_epochs},
                  {"fraction_done", progress.fraction_done},
                  {"loss", progress.loss},
                  {"accuracy", progress.accuracy},
                  {"train_accuracy", progress.fit.train_accuracy},
                  {"test_accuracy", progress.fit.test_accuracy},
                  {"examples_per_second", progress.examples_per_second},
                  {"seconds", progress.seconds},
                  {"resumed", progress.resumed}};
  return json.dump() + "\n";
}

std::optional<Progress> decode_progress(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step")) return std::nullopt;
  Progress progress;
  progress.step = json.value("step", int64_t{0});
  progress.epoch = number_or_nan(json, "epoch");
  progress.max_epochs = number_or_nan(json, "max_epochs");
  progress.fraction_done = number_or_nan(json, "fraction_done");
  progress.loss = number_or_nan(json, "loss");
  progress.accuracy = number_or_nan(json, "accuracy");
  progress.fit.train_accuracy = number_or_nan(json, "train_accuracy");
  progress.fit.test_accuracy = number_or_nan(json, "test_accuracy");
  progress.examples_per_second = number_or_nan(json, "examples_per_second");
  progress.seconds = number_or_nan(json, "seconds");
  progress.resumed = json.value("resumed", false);
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
  line += fmt::format("  loss {:.4f}", progress.loss);
  const double train = std::isnan(progress.accuracy) ? progress.fit.train_accuracy : progress.accuracy;
  if (!std::isnan(train)) line += "  train " + percent(train);
  if (!std::isnan(progress.fit.test_accuracy)) line += "  test " + percent(progress.fit.test_accuracy);
  if (progress.fraction_done > 0 && progress.fraction_done < 1)
    line += "  at most " +
            duration_text(progress.seconds * (1 - progress.fraction_done) / progress.fraction_done) + " left";
  if (progress.examples_per_second > 0)
    line += fmt::format("  {:.0f} examples/s", progress.examples_per_second);
  return line;
}

ProgressDisplay::ProgressDisplay(std::vector<std::string> names)
    : names_(std::move(names)),
      latest_(names_.size()),
      running_(names_.size(), false),
      printed_at_(names_.size(), 0),
      terminal_(::isatty(STDOUT_FILENO) == 1) {
  for (const std::string& name : names_) name_width_ = std::max(name_width_, name.size());
}

ProgressDisplay::~ProgressDisplay() { erase_live_lines(); }

void ProgressDisplay::started(size_t job) {
  running_[job] = true;
  printed_at_[job] = steady_seconds();
  if (!terminal_) print_line(job, "started");
}

void ProgressDisplay::progressed(size_t job, const Progress& progress) {
  if (!latest_[job] && progress.resumed) print_line(job, fmt::format("resumed at step {}", progress.step));
  latest_[job] = progress;
  const double now = steady_seconds();
  if (terminal_) {
    if (now - drawn_at_ < 0.1) return;
    erase_live_lines();
    draw_live_lines();
  } else if (now - printed_at_[job] >= plain_line_interval) {
    print_line(job, progress_line(progress));
    printed_at_[job] = now;
  }
}

void ProgressDisplay::noted(size_t job, const std::string& note) { print_line(job, note); }

void ProgressDisplay::finished(size_t job, const std::string& message) {
  running_[job] = false;
  std::string text = message;
  if (latest_[job])
    text += fmt::format("  ({} steps, {})", latest_[job]->step, duration_text(latest_[job]->seconds));
  print_line(job, text);
}

void ProgressDisplay::print_line(size_t job, const std::string& text) {
  erase_live_lines();
  fmt::print("{:<{}}  {}\n", names_[job], name_width_, text);
  draw_live_lines();
}

void ProgressDisplay::erase_live_lines() {
  if (live_lines_ > 0) fmt::print("\x1b[{}A\x1b[J", live_lines_);
  live_lines_ = 0;
  std::fflush(stdout);
}

void ProgressDisplay::draw_live_lines() {
  if (terminal_) {
    const size_t width = terminal_width();
    for (size_t job = 0; job < names_.size(); ++job) {
      if (!running_[job] || !latest_[job]) continue;
      const std::string line =
          fmt::format("{:<{}}  {}", names_[job], name_width_, progress_line(*latest_[job]));
      fmt::print("{}\n", line.substr(0, width - 1));
      ++live_lines_;
    }
    drawn_at_ = steady_seconds();
  }
  std::fflush(stdout);
}

}  // namespace plumb
