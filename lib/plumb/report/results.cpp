#include "plumb/report/results.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "plumb/core/error.hpp"
#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/identity.hpp"
#include "plumb/experiment/run_folder.hpp"
#include "plumb/experiment/sweep.hpp"

namespace plumb {
namespace {

/// Whether a run of `left` comes before one of `right` on the same axes; empty labels tell nothing.
using LabelOrder = std::function<std::optional<bool>(const TextPairs& left, const TextPairs& right)>;

/// The order in which the sweep writes its points, where it can be read.
LabelOrder sweep_order(const Config& description) {
  std::map<std::pair<std::string, std::string>, size_t> order;
  try {
    if (const Config* sweep = description.find("sweep"))
      for (const SweepAxis& axis : read_sweep(*sweep))
        for (const SweepPoint& point : axis.points)
          order.emplace(std::pair{axis.name, point.label}, order.size());
  } catch (const Error&) {  // labels are ordered by their text, then
  }
  return [order](const TextPairs& left, const TextPairs& right) -> std::optional<bool> {
    const auto rank = [&order](const std::pair<std::string, std::string>& point) {
      const auto found = order.find(point);
      return found == order.end() ? order.size() : found->second;
    };
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      if (left[i].second == right[i].second) continue;
      return rank(left[i]) != rank(right[i]) ? rank(left[i]) < rank(right[i])
                                             : natural_less(left[i].second, right[i].second);
    }
    return std::nullopt;
  };
}

/// By point, in the order in which the sweep writes them, then by seed; other runs after those planned.
void sort_runs(std::vector<RecordedRun>& runs, const Config& description) {
  const LabelOrder before = sweep_order(description);
  std::stable_sort(runs.begin(), runs.end(), [&](const RecordedRun& left, const RecordedRun& right) {
    if (left.planned != right.planned) return left.planned;
    if (const auto first = before(left.axes, right.axes)) return *first;
    return left.seed != right.seed ? natural_less(left.seed, right.seed) : natural_less(left.id, right.id);
  });
}

std::string reason_without_folder(std::string reason, const std::filesystem::path& folder) {
  const std::string prefix = folder.string() + "/";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  return reason;
}

/// Whether a folder has anything in it that a run writes.
bool holds_run(const std::filesystem::path& folder) {
  std::error_code unknown;
  for (const char* file : {"run.yaml", "provenance.json", "outcome.json", "evaluations.csv", "checkpoint.pt"})
    if (std::filesystem::exists(std::filesystem::symlink_status(folder / file, unknown))) return true;
  return false;
}

/// Reads what one entry of the experiment's folder is.
void load_entry(const std::filesystem::directory_entry& entry, const std::set<std::string>& planned,
                Results& results) {
  std::string name = entry.path().filename().string();
  std::error_code error;
  if (!entry.is_directory(error)) {
    // Files of the experiment, or of its user; a run is a folder.
    const bool lost_link = entry.is_symlink(error) && !entry.exists(error);
    if (lost_link)
      results.skipped.push_back({std::move(name), "is a link to nothing"});
    else if (planned.contains(name))
      results.skipped.push_back({std::move(name), "is no folder"});
    return;
  }
  if (name == "figures" && !holds_run(entry.path())) return;  // a report's own
  try {
    results.runs.push_back(load_run(entry.path()));
  } catch (const std::exception& failure) {  // one damaged run must not hide the others
    results.skipped.push_back({std::move(name), reason_without_folder(failure.what(), entry.path())});
  }
}

/// The runs that today's experiment.yaml expands to, by identity and seed.
struct Plan {
  std::map<std::string, const PlannedRun*> by_key;
  std::set<std::string> ids;
  std::vector<PlannedRun> runs;
  std::string unreadable;  // why there is none
};

std::string key_of(const Config& identity, const std::string& seed) {
  return identity.to_yaml() + "seed " + seed;
}

Plan read_plan(const Config& description) {
  Plan plan;
  try {
    plan.runs = Experiment::read(description).runs;
  } catch (const std::exception& error) {
    plan.unreadable = error.what();
  }
  for (const PlannedRun& planned : plan.runs) {
    plan.ids.insert(planned.id);
    plan.by_key.emplace(key_of(run_identity(planned.run.description()), fmt::format("{}", planned.run.seed)),
                        &planned);
  }
  return plan;
}

/// Of two runs with the same identity and seed, which are the same numbers, the one to count.
bool better(const RecordedRun& left, const RecordedRun& right, const std::set<std::string>& planned) {
  if (left.completed() != right.completed()) return left.completed();
  if (left.ending.has_value() != right.ending.has_value()) return left.ending.has_value();
  if (planned.contains(left.id) != planned.contains(right.id)) return planned.contains(left.id);
  const double left_end = left.last("step").value_or(-1), right_end = right.last("step").value_or(-1);
  return left_end != right_end ? left_end > right_end : natural_less(left.id, right.id);
}

/// A seed of a point counts once, in whatever folders it lies.
void count_once(Results& results, const std::set<std::string>& planned) {
  std::map<std::string, size_t> kept;
  std::vector<RecordedRun> runs;
  for (RecordedRun& run : results.runs) {
    std::string key = key_of(run.identity, run.seed);
    for (const auto& [axis, label] : run.planned ? run.axes : TextPairs{}) key += "\n" + axis + ": " + label;
    const auto [place, added] = kept.emplace(std::move(key), runs.size());
    if (added) {
      runs.push_back(std::move(run));
      continue;
    }
    RecordedRun& other = runs[place->second];
    if (better(run, other, planned)) std::swap(run, other);
    results.skipped.push_back(
        {run.id, fmt::format("is the same run as {}: equal description and seed; counted once", other.id)});
  }
  results.runs = std::move(runs);
}

/// Tells runs of the description from others, and gives them today's labels.
void match(Results& results, const Plan& plan) {
  std::set<const PlannedRun*> found;
  std::vector<const PlannedRun*> matches;
  for (const RecordedRun& run : results.runs) {
    const auto planned = plan.by_key.find(key_of(run.identity, run.seed));
    matches.push_back(planned == plan.by_key.end() ? nullptr : planned->second);
    if (matches.back() != nullptr) found.insert(matches.back());
  }
  if (found.empty()) {
    results.all_planned_because = plan.unreadable.empty()
                                      ? "experiment.yaml expands to none of the runs in this folder"
                                      : plan.unreadable;
    return;
  }
  for (size_t i = 0; i < matches.size(); ++i) {
    results.runs[i].planned = matches[i] != nullptr;
    if (matches[i] == nullptr) continue;
    results.runs[i].axes = matches[i]->axes;
    results.runs[i].theorems = matches[i]->run.description().find("theorems")->items;
  }
  for (const PlannedRun& planned : plan.runs)
    if (!found.contains(&planned) &&
        !std::any_of(results.skipped.begin(), results.skipped.end(),
                     [&](const auto& other) { return other.folder == planned.id; }))
      ++results.missing;
}

void load_runs(Results& results) {
  const Plan plan = read_plan(results.description);
  std::error_code error;
  std::filesystem::directory_iterator entry(results.folder, error), end;
  for (; !error && entry != end; entry.increment(error)) load_entry(*entry, plan.ids, results);
  if (error) throw DataError(fmt::format("{}: cannot be read: {}", results.folder.string(), error.message()));
  match(results, plan);
  count_once(results, plan.ids);
  sort_runs(results.runs, results.description);
  std::sort(results.skipped.begin(), results.skipped.end(),
            [](const auto& left, const auto& right) { return left.folder < right.folder; });
}

}  // namespace

Results load_results(const std::filesystem::path& folder) {
  Results results;
  results.folder = std::filesystem::absolute(folder).lexically_normal();
  if (!results.folder.has_filename()) results.folder = results.folder.parent_path();
  if (!std::filesystem::exists(results.folder / "experiment.yaml"))
    throw DataError(fmt::format("{}: holds no experiment.yaml; the folder of an experiment is expected",
                                folder.string()));
  results.description = Config::load(results.folder / "experiment.yaml");
  results.name = results.folder.filename().string();
  if (const Config* name = results.description.find("name"); name != nullptr && !name->text.empty())
    results.name = name->text;
  if (const Config* question = results.description.find("question")) results.question = question->text;
  if (const Config* section = results.description.find("report"))
    results.options = read_options<ReportOptions>(*section);
  load_runs(results);
  return results;
}

bool natural_less(std::string_view left, std::string_view right) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto take_number = [](std::string_view& text) {
    double value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return value;
  };
  while (!left.empty() && !right.empty()) {
    if (digit(left[0]) && digit(right[0])) {
      const double a = take_number(left);
      const double b = take_number(right);
      if (a != b) return a < b;
    } else {
      if (left[0] != right[0]) return left[0] < right[0];
      left.remove_prefix(1);
      right.remove_prefix(1);
    }
  }
  return left.size() < right.size();
}

}  // namespace plumb
