#include "plumb/experiment/run_folder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>
#include <sstream>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/json_file.hpp"
#include "plumb/experiment/identity.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {
namespace {

/// True when there is something at `file`; what is no file is refused, as a pipe would never end.
bool has_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) return false;
  if (!std::filesystem::is_regular_file(file, error))
    throw DataError(fmt::format("{}: is no file", file.string()));
  return true;
}

std::string json_text(const Config& value) {
  if (value.kind == Config::Kind::scalar) return value.text;
  if (value.kind == Config::Kind::null) return "";
  if (value.is_mapping()) return value.to_line();
  std::vector<std::string> parts;
  for (const Config& part : value.items) parts.push_back(json_text(part));
  return fmt::format("{}", fmt::join(parts, ", "));
}

TextPairs json_pairs(const Config& object) {
  TextPairs pairs;
  for (const Config::Entry& entry : object.entries) pairs.emplace_back(entry.key, json_text(entry.value));
  return pairs;
}

std::string text_at(const Config& object, std::string_view key) {
  const Config* value = object.find(key);
  return value == nullptr ? std::string{} : json_text(*value);
}

/// NaN where there is no number.
double number_at(const Config& object, std::string_view key) {
  const Config* value = object.find(key);
  double number = 0;
  if (value == nullptr || value->kind != Config::Kind::scalar || value->quoted) return std::nan("");
  const char* end = value->text.data() + value->text.size();
  const auto [stop, error] = std::from_chars(value->text.data(), end, number);
  return error == std::errc{} && stop == end ? number : std::nan("");
}

bool is_accuracy(std::string_view column) {
  return column.ends_with("accuracy") || column == "memorization" || column == "recovery";
}

void check_values(const Table& table, const std::string& source) {
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const std::string& name = table.columns[column];
    double last = 0;
    for (size_t row = 0; row < table.rows.size(); ++row) {
      const double value = table.rows[row][column];
      const auto refuse = [&](std::string_view problem) {
        throw DataError(fmt::format("{}:{}: {}: {} {}", source, row + 2, name, value, problem));
      };
      if (name == "step" && !(value >= last && std::isfinite(value)))
        refuse("does not go on from the step before");
      if (name == "step") last = value;
      if (is_accuracy(name) && !std::isnan(value) && !(value >= 0 && value <= 1)) refuse("is no accuracy");
    }
  }
}

/// A CSV file of a run. An unfinished run may have been stopped in the middle of its last line, which is left
/// out.
Table load_series(const std::filesystem::path& file, bool finished, const std::vector<std::string>& needed) {
  std::string text = read_file(file);
  if (!finished) text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  if (!finished && text.empty()) return {};
  if (!text.ends_with('\n')) throw DataError(fmt::format("{}: its last line has no end", file.string()));
  Table table = Table::parse(text, file.string());
  for (const std::string& column : needed)
    if (!table.has(column)) throw DataError(fmt::format("{}: has no column '{}'", file.string(), column));
  check_values(table, file.string());
  return table;
}

/// Refuses a table that ends at another step than the run did.
void check_end(const Table& table, const std::filesystem::path& file, double end) {
  if (std::isnan(end)) return;  // not recorded
  const double last = table.rows.empty() ? std::nan("") : table.column("step").back();
  if (last == end) return;
  throw DataError(
      table.rows.empty()
          ? fmt::format("{}: is empty; the run ended at step {}", file.string(), end)
          : fmt::format("{}: ends at step {}; the run ended at step {}", file.string(), last, end));
}

/// The probes of a run with their options, those of its theorems, too; as they stand in its description where
/// this plumb cannot read it.
std::vector<Config> described_probes(const Config& description) {
  try {
    return written_out(Run::read(description).all_probes());
  } catch (const Error&) {
    const Config* list = description.find("probes");
    return list == nullptr ? std::vector<Config>{} : list->items;
  }
}

/// What the randomization of a description does to labels; nothing where this plumb does not know it.
std::optional<double> redrawn_labels(const Config& description) {
  struct Part {
    Choice<Randomization()> randomization{randomizations(), "true_labels"};
    void fields(Fields& f) { f.component("randomization", randomization, ""); }
  };
  const Config* written = description.find("randomization");
  Config part = Config::empty_mapping();
  if (written != nullptr) part.add("randomization", *written);
  try {
    return read_options<Part>(part).randomization.make().redrawn_labels;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Writes into `probe` what its description says; its type is its name where there is none.
void describe_probe(RecordedProbe& probe, const std::vector<Config>& described) {
  probe.type = probe.name;
  for (const Config& options : described) {
    const Config* type = options.find("type");
    const Config* own = options.find("name");
    if (type == nullptr || own == nullptr) continue;
    if (own->text != probe.name && !(own->text.empty() && type->text == probe.name)) continue;
    probe.type = type->text;
    probe.options = options;
    return;
  }
}

/// The lines of a file of remarks; none when there is none.
std::vector<std::string> remarks_in(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  if (!has_file(file)) return lines;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

void load_probes(const std::filesystem::path& folder, bool finished, double end, RecordedRun& run) {
  std::error_code absent;
  if (!std::filesystem::is_directory(folder, absent)) return;
  const std::vector<Config> described = described_probes(run.description);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".csv" || !has_file(entry.path())) continue;
    const std::string name = entry.path().stem().string();
    // A run killed before the header reached the disk has not measured anything.
    Table table = load_series(entry.path(), finished, {"step", "epoch"});
    if (table.columns.empty()) continue;
    if (finished) check_end(table, entry.path(), end);
    RecordedProbe& probe = run.probes.emplace_back();
    probe.name = name;
    probe.table = std::move(table);
    probe.remarks = remarks_in(folder / (name + ".txt"));
    describe_probe(probe, described);
  }
  std::sort(run.probes.begin(), run.probes.end(),
            [](const RecordedProbe& left, const RecordedProbe& right) { return left.name < right.name; });
}

bool is_outcome(const std::string& word) {
  if (word == "failed") return true;
  for (int i = 0; i < static_cast<int>(Outcome::interrupted); ++i)
    if (word == to_string(static_cast<Outcome>(i))) return true;
  return false;
}

RecordedRun::Ending ending_of(const Config& json, const std::filesystem::path& file) {
  RecordedRun::Ending ending{text_at(json, "outcome"), text_at(json, "message")};
  if (ending.outcome.empty()) throw DataError(fmt::format("{}: names no outcome", file.string()));
  if (!is_outcome(ending.outcome))
    throw DataError(fmt::format("{}: '{}' is no outcome that plumb writes", file.string(), ending.outcome));
  ending.step = number_at(json, "step");
  ending.training_seconds = number_at(json, "training_seconds");
  ending.probe_seconds = number_at(json, "probe_seconds");
  return ending;
}

/// The fingerprint that ends the names `run` gives its folders ("0.1-seed3-1a2b3c4d"); empty in other names.
std::string named_fingerprint(const std::string& folder) {
  static const std::regex pattern("-seed[0-9]+-([0-9a-f]{8})$");
  std::smatch found;
  return std::regex_search(folder, found, pattern) ? found[1].str() : std::string{};
}

/// Why the description cannot be the one that was run, as far as the folder tells; empty when nothing says
/// so.
std::string contradiction(const RecordedRun& run, const Config& provenance) {
  const std::string seed = text_at(provenance, "seed");
  if (!seed.empty() && seed != run.seed) return fmt::format("it ran with seed {}", seed);
  const std::string fingerprint = named_fingerprint(run.id);
  try {
    const std::string own = Run::read(run.description).fingerprint();
    if (!fingerprint.empty() && own != fingerprint && fingerprint_0_1(run.description) != fingerprint)
      return fmt::format("its fingerprint is {}, the folder's {}", own, fingerprint);
  } catch (const Error&) {  // what this plumb cannot read, it cannot check
  }
  return {};
}

/// What was run is what the provenance holds. Folders of versions that did not write it down are held against
/// their own names.
void check_description(RecordedRun& run, const Config& provenance) {
  if (const std::string text = text_at(provenance, "description"); !text.empty()) {
    Config ran = Config::parse(text, "provenance.json: description");
    const auto essence = [](const Config& description) {
      return run_identity(description).to_yaml() + json_text(*description.find("seed"));
    };
    if (ran.find("seed") != nullptr && run.description.find("seed") != nullptr &&
        essence(ran) == essence(run.description))
      return;
    run.remarks.emplace_back("run.yaml was changed after the run; this is what was run");
    run.description = std::move(ran);
    run.seed = text_at(run.description, "seed");
    return;
  }
  if (const std::string why = contradiction(run, provenance); !why.empty())
    throw DataError(
        fmt::format("run.yaml: is no longer what was run ({}); put the old one back, or remove the "
                    "folder to run again",
                    why));
}

/// Refuses evaluations that end with other numbers than the outcome has of the same state.
void check_last_evaluation(const RecordedRun& run, const Config& outcome, const std::filesystem::path& file) {
  for (const char* column : {"train_loss", "train_accuracy"}) {
    const double ended = number_at(outcome, column);
    const std::optional<double> last = run.last(column);
    if (last && !std::isnan(ended) && *last != ended)
      throw DataError(
          fmt::format("{}: ends with {} {}; outcome.json has {}", file.string(), column, *last, ended));
  }
}

void load_tables(const std::filesystem::path& folder, const Config& outcome, RecordedRun& run) {
  const bool finished = run.ending.has_value();
  const auto evaluations = folder / "evaluations.csv", steps = folder / "steps.csv",
             timing = folder / "timing.csv";
  // A run that failed, or only just began, may have measured nothing; that is an ending, not a damaged
  // folder.
  const bool measured = has_file(evaluations);
  if (!measured && run.ending && run.ending->outcome != "failed")
    throw DataError(fmt::format("{}: is missing in a finished run", evaluations.string()));
  if (measured) run.evaluations = load_series(evaluations, finished, {"step"});
  if (measured && run.completed()) {
    check_end(run.evaluations, evaluations, run.ending->step);
    check_last_evaluation(run, outcome, evaluations);
  }
  if (has_file(steps)) run.steps = load_series(steps, finished, {"step", "loss"});
  if (has_file(timing)) run.timing = load_series(timing, finished, {"step"});
  load_probes(folder / "probes", finished, finished ? run.ending->step : std::nan(""), run);
}

}  // namespace

RecordedRun load_run(const std::filesystem::path& folder) {
  RecordedRun run;
  run.id = folder.filename().string();
  if (!has_file(folder / "run.yaml")) throw DataError("has no run.yaml; it is no run");
  run.description = Config::load(folder / "run.yaml");
  if (!run.description.is_mapping() || run.description.entries.empty())
    throw DataError(fmt::format("{}: is no description of a run", (folder / "run.yaml").string()));
  Config outcome = Config::empty_mapping();
  if (const auto file = folder / "outcome.json"; has_file(file)) {
    outcome = load_json(file);
    run.ending = ending_of(outcome, file);
  }
  Config provenance = Config::empty_mapping();
  // Laid out, and perhaps begun: a run writes it once its data are read.
  if (run.ending || has_file(folder / "provenance.json")) provenance = load_json(folder / "provenance.json");
  if (const Config* axes = provenance.find("axes"); axes != nullptr && axes->is_mapping())
    run.axes = json_pairs(*axes);
  run.seed = text_at(run.description, "seed");
  if (run.seed.empty()) run.seed = text_at(provenance, "seed");
  check_description(run, provenance);
  run.identity = run_identity(run.description);
  run.corruption = redrawn_labels(run.description);
  if (const Config* theorems = run.description.find("theorems")) run.theorems = theorems->items;
  provenance.erase("axes");
  run.provenance = json_pairs(provenance);
  load_tables(folder, outcome, run);
  return run;
}

}  // namespace plumb
