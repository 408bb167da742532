#include "plumb/report/findings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "plumb/report/geometry_figures.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

int64_t count_if(const std::vector<Point>& points, bool (*test)(const Point&)) {
  return std::count_if(points.begin(), points.end(), test);
}

std::string fit_sentence(const Results& results, const std::vector<Point>& points) {
  const int64_t completed = count_if(points, [](const Point& point) { return point.completed > 0; });
  if (completed == 0) return "No run has completed yet; nothing can be concluded.";
  const int64_t fits = count_if(points, [](const Point& point) { return point.fits; });
  std::vector<std::string> others;
  for (const Point& point : points)
    if (point.completed > 0 && !point.fits)
      others.push_back(
          fmt::format("{} reached {} %", point.label, percent_text(point.last("train_accuracy"))));
  std::string sentence = fmt::format("{} of {} reached {:.6g} % training accuracy in every completed run",
                                     fits, counted(completed, "point"), 100 * results.options.fit_accuracy);
  if (!others.empty() && others.size() <= 4) sentence += fmt::format("; {}", fmt::join(others, ", "));
  return sentence + ".";
}

/// The completed points of a group with the lowest and the highest corruption; null when they are the same.
std::pair<const Point*, const Point*> corruption_ends(const std::vector<Point>& points,
                                                      const std::string& group) {
  const Point* low = nullptr;
  const Point* high = nullptr;
  for (const Point& point : points) {
    if (point.group != group || !point.corruption || point.completed == 0) continue;
    if (low == nullptr || *point.corruption < *low->corruption) low = &point;
    if (high == nullptr || *point.corruption > *high->corruption) high = &point;
  }
  if (low == nullptr || *low->corruption == *high->corruption) return {nullptr, nullptr};
  return {low, high};
}

std::string corruption_sentence(const Point& low, const Point& high) {
  const auto error = [](const Point& point) {
    Estimate accuracy = point.last("test_accuracy");
    accuracy.mean = 1 - accuracy.mean;
    return percent_text(accuracy);
  };
  std::string sentence = low.group.empty() ? "" : low.group + ": ";
  sentence += fmt::format("from p = {:.4g} to p = {:.4g}, ", *low.corruption, *high.corruption);
  if (high.slowdown && low.corruption == 0.0)
    sentence +=
        fmt::format("the time to fit grew {} times (from {} to {} steps)", number_text(*high.slowdown),
                    number_text(low.steps_to_fit), number_text(high.steps_to_fit));
  else
    sentence += "the time to fit cannot be compared, as not all of these runs fit,";
  if (low.last("test_accuracy").count > 0 && high.last("test_accuracy").count > 0)
    sentence += fmt::format(" and the test error went from {} % to {} %", error(low), error(high));
  if (const Estimate memorization = high.last("memorization"); memorization.count > 0)
    sentence += fmt::format("; at p = {:.4g}, {} % of the wrong labels were memorized", *high.corruption,
                            percent_text(memorization));
  sentence.front() = sentence.front() == 'f' && low.group.empty() ? 'F' : sentence.front();
  return sentence + ".";
}

/// "Left out of every mean: 1 diverged, 2 unfinished." Empty when nothing is.
std::string caveat_sentence(const Results& results) {
  std::map<std::string, int64_t> left_out;
  for (const RunResult& run : results.runs)
    if (!run.completed()) ++left_out[run.outcome()];
  if (!results.skipped.empty()) left_out["unreadable"] = static_cast<int64_t>(results.skipped.size());
  std::vector<std::string> parts;
  for (const auto& [outcome, count] : left_out) parts.push_back(fmt::format("{} {}", count, outcome));
  return parts.empty() ? "" : fmt::format("Left out of every mean: {}.", fmt::join(parts, ", "));
}

/// The first `width` characters of UTF-8 text, the last replaced by an ellipsis when some are missing.
std::string clipped(const std::string& text, size_t width) {
  size_t characters = 0;
  size_t last = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (characters == width - 1) last = i;
    if (++characters > width) return text.substr(0, last) + "…";
  }
  return text;
}

/// A control character in a label must not move the cursor.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

/// The page has the errors; in a terminal they would cost the width of the labels.
Estimate without_error(Estimate value) {
  value.standard_error = std::nan("");
  return value;
}

/// Outcomes in few words, the most frequent ones shortened.
std::string brief_outcomes(const Point& point) {
  std::string text = outcome_text(point.outcomes());
  for (const std::string_view prefix : {"train accuracy ", "train loss "})
    for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
      text.replace(at, prefix.size(), prefix.substr(6));
  return printable(text);
}

using SummaryRow = std::array<std::string, 8>;
constexpr size_t summary_width = 100;

std::string render_rows(const std::vector<SummaryRow>& rows) {
  std::array<size_t, 8> widths{};
  const auto length = [](const std::string& text) {
    return static_cast<size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  };
  for (const SummaryRow& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], length(row[i]));
  widths[7] = std::min<size_t>(widths[7], 20);
  size_t others = 2 * 7;
  for (size_t i = 1; i < widths.size(); ++i) others += widths[i];
  widths[0] = std::min(widths[0], summary_width > others + 12 ? summary_width - others : size_t{12});
  std::string text;
  for (const SummaryRow& row : rows) {
    std::string label = row[0];
    if (length(label) > widths[0]) {  // a label too long for its column gets a line of its own
      text += clipped(label, summary_width) + "\n";
      label.clear();
    }
    std::string line = fmt::format("{:<{}}", label, widths[0]);
    for (size_t i = 1; i < 7; ++i) line += fmt::format("  {:>{}}", row[i], widths[i]);
    line += "  " + clipped(row[7], widths[7]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::vector<std::string> findings(const Results& results, const std::vector<Point>& points) {
  std::vector<std::string> sentences{fit_sentence(results, points)};
  for (const std::string& group : groups_of(points))
    if (const auto [low, high] = corruption_ends(points, group); low != nullptr)
      sentences.push_back(corruption_sentence(*low, *high));
  for (std::string& sentence : geometry_findings(points)) sentences.push_back(std::move(sentence));
  if (const std::string caveat = caveat_sentence(results); !caveat.empty()) sentences.push_back(caveat);
  return sentences;
}

std::string summary_table(const Results& results) {
  std::vector<SummaryRow> rows{
      {"point", "runs", "steps to fit", "slowdown", "train %", "memorized %", "test %", "outcome"}};
  const std::vector<Point> points = aggregate(results);
  const auto percent = [](const Point& point, std::string_view column) {
    return percent_text(without_error(point.last(column)));
  };
  for (const Point& point : points)
    rows.push_back({printable(point.label), fmt::format("{}/{}", point.completed, point.runs.size()),
                    number_text(point.steps_to_fit),
                    number_text(without_error(point.slowdown.value_or(Estimate{}))),
                    percent(point, "train_accuracy"), percent(point, "memorization"),
                    percent(point, "test_accuracy"), brief_outcomes(point)});
  std::string text = render_rows(rows);
  text += fmt::format(
      "steps to fit: first evaluation with training accuracy >= {:.6g} %; {}: not reached or not measured\n",
      100 * results.options.fit_accuracy, absent);
  if (const std::string caveat = caveat_sentence(results); !caveat.empty()) text += caveat + "\n";
  return text;
}

}  // namespace plumb
