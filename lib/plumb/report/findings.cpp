#include "plumb/report/findings.hpp"

#include <algorithm>
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

/// Of points whose targets are real numbers, where their loss ended.
std::string loss_sentence(const std::vector<Point>& points) {
  std::vector<std::string> ends;
  for (const Point& point : points)
    if (point.completed > 0)
      ends.push_back(fmt::format("{} ({})", number_text(point.last("train_loss")), point.label));
  if (ends.size() > 8) ends = {fmt::format("what the table says of each of the {} points", ends.size())};
  return fmt::format(
      "The targets are real numbers, of which there is no accuracy; the training loss ended at {}.",
      fmt::join(ends, ", "));
}

std::string fit_sentence(const Results& results, const std::vector<Point>& points) {
  const int64_t completed = count_if(points, [](const Point& point) { return point.completed > 0; });
  if (completed == 0) return "No run has completed yet; nothing can be concluded.";
  const int64_t with_accuracy =
      count_if(points, [](const Point& point) { return point.last("train_accuracy").count > 0; });
  if (with_accuracy == 0) return loss_sentence(points);
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

std::string caveat_sentence(const Results& results) {
  std::map<std::string, int64_t> left_out;
  int64_t changed = 0;
  for (const RecordedRun& run : results.runs) {
    if (run.planned && !run.completed()) ++left_out[run.outcome()];
    changed += run.remarks.empty() ? 0 : 1;
  }
  std::vector<std::string> parts;
  parts.reserve(left_out.size());
  for (const auto& [outcome, count] : left_out) parts.push_back(fmt::format("{} {}", count, outcome));
  if (results.missing > 0) parts.push_back(fmt::format("{} without a folder", results.missing));
  if (!results.skipped.empty())
    parts.push_back(fmt::format("{} that cannot be counted", results.skipped.size()));
  std::string sentence =
      parts.empty() ? "" : fmt::format("Left out of every mean: {}.", fmt::join(parts, ", "));
  if (changed > 0)
    sentence += fmt::format("{}The run.yaml of {} was changed afterwards; what was run is shown.",
                            sentence.empty() ? "" : " ", counted(changed, "run"));
  return sentence;
}

}  // namespace plumb
