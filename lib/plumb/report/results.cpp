#include "plumb/report/results.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/experiment/sweep.hpp"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

Json load_json(const std::filesystem::path& file) {
  try {
    Json json = Json::parse(read_file(file));
    if (!json.is_object()) throw DataError(fmt::format("{}: is no JSON object", file.string()));
    return json;
  } catch (const Json::parse_error& error) {
    throw DataError(fmt::format("{}: is no JSON: {}", file.string(), error.what()));
  }
}

std::string json_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Json& part : value) parts.push_back(json_text(part));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
  return value.is_null() ? "" : value.dump();
}

TextPairs json_pairs(const Json& object) {
  TextPairs pairs;
  for (const auto& [key, value] : object.items()) pairs.emplace_back(key, json_text(value));
  return pairs;
}

std::string text_at(const Json& object, const std::string& key) {
  return object.contains(key) ? json_text(object.at(key)) : std::string{};
}

/// A CSV file of a run. An unfinished run may have been stopped in the middle of its last line, which is left
/// out.
Table load_series(const std::filesystem::path& file, bool finished, const std::vector<std::string>& needed) {
  std::string text = read_file(file);
  if (!finished) text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  Table table = Table::parse(text, file.string());
  for (const std::string& column : needed)
    if (!table.has(column)) throw DataError(fmt::format("{}: has no column '{}'", file.string(), column));
  return table;
}

/// The type of the probe called `name` in a run's description; the name itself when it is not there.
std::string probe_type(const Config& description, const std::string& name) {
  const Config* list = description.find("probes");
  if (list == nullptr) return name;
  for (const Config& item : list->items) {
    const Config* type = item.find("type");
    const Config* own = item.find("name");
    if (type != nullptr && own != nullptr && own->text == name) return type->text;
  }
  return name;
}

void load_probes(const std::filesystem::path& folder, bool finished, RunResult& run) {
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".csv") continue;
    const std::string name = entry.path().stem().string();
    // A run killed before the header reached the disk has not measured anything.
    if (!finished && read_file(entry.path()).find('\n') == std::string::npos) continue;
    run.probes.push_back(
        {name, probe_type(run.description, name), load_series(entry.path(), finished, {"step", "epoch"})});
  }
  std::sort(run.probes.begin(), run.probes.end(),
            [](const ProbeResult& left, const ProbeResult& right) { return left.name < right.name; });
}

RunResult load_run(const std::filesystem::path& folder) {
  RunResult run;
  run.id = folder.filename().string();
  run.description = Config::load(folder / "run.yaml");
  Json provenance = load_json(folder / "provenance.json");
  if (provenance.contains("axes") && provenance["axes"].is_object())
    run.axes = json_pairs(provenance["axes"]);
  run.seed = text_at(provenance, "seed");
  provenance.erase("axes");
  run.provenance = json_pairs(provenance);
  const bool finished = std::filesystem::exists(folder / "outcome.json");
  if (finished) {
    const Json outcome = load_json(folder / "outcome.json");
    run.ending = RunResult::Ending{text_at(outcome, "outcome"), text_at(outcome, "message")};
    if (outcome.contains("training_seconds") && outcome["training_seconds"].is_number())
      run.ending->training_seconds = outcome["training_seconds"].get<double>();
    if (outcome.contains("probe_seconds") && outcome["probe_seconds"].is_number())
      run.ending->probe_seconds = outcome["probe_seconds"].get<double>();
    if (run.ending->outcome.empty())
      throw DataError(fmt::format("{}: names no outcome", (folder / "outcome.json").string()));
  }
  // A run that failed, or only just began, may have measured nothing; that is an ending, not a damaged
  // folder.
  const bool measured = std::filesystem::exists(folder / "evaluations.csv");
  if (!measured && run.ending && run.ending->outcome != "failed")
    throw DataError(fmt::format("{}: is missing in a finished run", (folder / "evaluations.csv").string()));
  if (measured) run.evaluations = load_series(folder / "evaluations.csv", finished, {"step"});
  if (std::filesystem::exists(folder / "steps.csv"))
    run.steps = load_series(folder / "steps.csv", finished, {"step", "loss"});
  if (std::filesystem::exists(folder / "timing.csv"))
    run.timing = load_series(folder / "timing.csv", finished, {"step"});
  load_probes(folder / "probes", finished, run);
  return run;
}

/// By point, in the order in which the sweep writes them, then by seed.
void sort_runs(std::vector<RunResult>& runs, const Config& description) {
  std::map<std::pair<std::string, std::string>, size_t> order;
  if (const Config* sweep = description.find("sweep"))
    for (const SweepAxis& axis : read_sweep(*sweep))
      for (const SweepPoint& point : axis.points)
        order.emplace(std::pair{axis.name, point.label}, order.size());
  const auto rank = [&order](const std::pair<std::string, std::string>& point) {
    const auto found = order.find(point);
    return found == order.end() ? order.size() : found->second;
  };
  std::stable_sort(runs.begin(), runs.end(), [&rank](const RunResult& left, const RunResult& right) {
    for (size_t i = 0; i < std::min(left.axes.size(), right.axes.size()); ++i) {
      const auto& a = left.axes[i];
      const auto& b = right.axes[i];
      if (a.second == b.second) continue;
      return rank(a) != rank(b) ? rank(a) < rank(b) : natural_less(a.second, b.second);
    }
    return left.seed != right.seed ? natural_less(left.seed, right.seed) : natural_less(left.id, right.id);
  });
}

std::string reason_without_folder(std::string reason, const std::filesystem::path& folder) {
  const std::string prefix = folder.string() + "/";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  return reason;
}

void load_runs(Results& results) {
  for (const auto& entry : std::filesystem::directory_iterator(results.folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name == "figures" || name.starts_with('.')) continue;
    if (!std::filesystem::exists(entry.path() / "run.yaml")) {
      results.skipped.push_back({name, "has no run.yaml; it is no run"});
      continue;
    }
    try {
      results.runs.push_back(load_run(entry.path()));
    } catch (const Error& error) {  // one damaged run must not hide the others
      results.skipped.push_back({name, reason_without_folder(error.what(), entry.path())});
    }
  }
  std::sort(results.skipped.begin(), results.skipped.end(),
            [](const auto& left, const auto& right) { return left.folder < right.folder; });
}

}  // namespace

bool RunResult::completed() const {
  return ending && ending->outcome != "diverged" && ending->outcome != "failed";
}

std::optional<double> RunResult::corruption() const {
  const std::string type = setting("randomization");
  if (type == "true_labels") return 0;
  if (type == "random_labels") return 1;
  if (type != "corrupted_labels") return {};
  const std::string text = setting("randomization.probability");
  double probability = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), probability);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return probability;
}

std::string RunResult::setting(std::string_view dotted_path) const {
  const Config* config = &description;
  while (config != nullptr && !dotted_path.empty()) {
    const size_t dot = dotted_path.find('.');
    config = config->find(dotted_path.substr(0, dot));
    dotted_path.remove_prefix(dot == std::string_view::npos ? dotted_path.size() : dot + 1);
  }
  if (config != nullptr && config->is_mapping()) config = config->find("type");
  return config == nullptr ? std::string{} : config->text;
}

std::string RunResult::recorded(std::string_view key) const {
  for (const auto& [name, text] : provenance)
    if (name == key) return text;
  return {};
}

std::optional<double> RunResult::last(std::string_view column) const {
  if (!evaluations.has(column) || evaluations.rows.empty()) return {};
  const double value = evaluations.column(column).back();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<double> ProbeResult::last(std::string_view column) const {
  if (!table.has(column)) return {};
  const std::vector<double> values = table.column(column);
  const auto finite =
      std::find_if(values.rbegin(), values.rend(), [](double value) { return std::isfinite(value); });
  return finite == values.rend() ? std::nullopt : std::optional(*finite);
}

const ProbeResult* RunResult::probe(std::string_view name) const {
  for (const ProbeResult& found : probes)
    if (found.name == name) return &found;
  return nullptr;
}

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
  sort_runs(results.runs, results.description);
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
