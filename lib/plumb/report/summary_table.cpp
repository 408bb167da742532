#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "plumb/core/text.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

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
  return plain_line(text);
}

using SummaryRow = std::array<std::string, 8>;
constexpr size_t summary_width = 100;
constexpr size_t most_other_points = 20;  // on a terminal; the page has all

std::string render_rows(const std::vector<SummaryRow>& rows) {
  std::array<size_t, 8> widths{};
  for (const SummaryRow& row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      if (i == 0 || !row[1].empty()) widths[i] = std::max(widths[i], character_count(row[i]));
  widths[7] = std::min<size_t>(widths[7], 20);
  size_t others = 2 * 7;
  for (size_t i = 1; i < widths.size(); ++i) others += widths[i];
  widths[0] = std::min(widths[0], summary_width > others + 12 ? summary_width - others : size_t{12});
  std::string text;
  for (const SummaryRow& row : rows) {
    std::string label = row[0];
    if (row[1].empty() ||
        character_count(label) > widths[0]) {  // a heading, or a label too long for its column
      text += clipped(label, summary_width) + "\n";
      label.clear();
    }
    if (row[1].empty()) continue;
    std::string line = label + std::string(widths[0] - character_count(label), ' ');
    for (size_t i = 1; i < 7; ++i)
      line += "  " + std::string(widths[i] - character_count(row[i]), ' ') + row[i];
    line += "  " + clipped(row[7], widths[7]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

SummaryRow summary_row(const Point& point) {
  const auto percent = [&point](std::string_view column) {
    return percent_text(without_error(point.last(column)));
  };
  return {plain_line(point.label),         fmt::format("{}/{}", point.completed, point.runs.size()),
          number_text(point.steps_to_fit), number_text(without_error(point.slowdown.value_or(Estimate{}))),
          percent("train_accuracy"),       percent("memorization"),
          percent("test_accuracy"),        brief_outcomes(point)};
}

}  // namespace

std::string summary_table(const Results& results) {
  std::vector<SummaryRow> rows{
      {"point", "runs", "steps to fit", "slowdown", "train %", "memorized %", "test %", "outcome"}};
  const std::vector<Point> points = aggregate(results);
  for (const Point& point : points)
    if (point.planned) rows.push_back(summary_row(point));
  if (const std::vector<Point> others = planned_points(points, false); !others.empty()) {
    rows.push_back({"other runs in this folder, which its experiment.yaml does not describe:"});
    for (size_t i = 0; i < std::min(others.size(), most_other_points); ++i)
      rows.push_back(summary_row(others[i]));
    if (others.size() > most_other_points)
      rows.push_back({fmt::format("and {} more, on the report's page", others.size() - most_other_points)});
  }
  std::string text = render_rows(rows);
  text += fmt::format(
      "steps to fit: first evaluation with training accuracy >= {:.6g} %; {}: not reached or not measured\n",
      100 * results.options.fit_accuracy, absent);
  if (const std::string caveat = caveat_sentence(results); !caveat.empty()) text += caveat + "\n";
  const std::vector<Point> planned = planned_points(points);
  // The columns say nothing of real targets, which have no accuracy; the first finding does.
  if (std::ranges::none_of(planned,
                           [](const Point& point) { return point.last("train_accuracy").count > 0; }) &&
      std::ranges::any_of(planned, [](const Point& point) { return point.completed > 0; }))
    text += findings(results, planned).front() + "\n";
  return text;
}

std::vector<std::string> complaints(const Results& results) {
  std::vector<std::string> lines;
  for (const Results::Skipped& skipped : results.skipped)
    lines.push_back(plain_line(fmt::format("{}: left out: {}", skipped.folder, skipped.reason)));
  for (const RecordedRun& run : results.runs)
    for (const std::string& remark : run.remarks)
      lines.push_back(plain_line(fmt::format("{}: {}", run.id, remark)));
  return lines;
}

}  // namespace plumb
