#include "plumb/experiment/experiment.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/experiment/sweep.hpp"

namespace plumb {
namespace {

/// The keys of an experiment beside those of a run.
struct Header {
  std::string question;
  std::optional<int64_t> seed;
  std::vector<int64_t> seeds;
  ReportOptions report;

  void fields(Fields& f) {
    f.field("question", question, "what the experiment asks");
    f.field("seed", seed, "the seed of every run", non_negative);
    f.field("seeds", seeds, "one run per seed at every point of the sweep", non_negative);
    f.section("report", report, "how the report reads");
  }
};

void check_seeds(const Config& seeds) {
  if (seeds.kind == Config::Kind::scalar)
    seeds.fail(fmt::format(
        "a list of seeds is expected: write [{0}] for the one seed {0}, or [0, 1, 2] for three", seeds.text));
  std::map<std::string, int> lines;
  for (const Config& seed : seeds.items)
    if (const auto [first, added] = lines.emplace(seed.text, seed.place.line); !added)
      seed.fail(fmt::format("seed {} is given twice; first at line {}", seed.text, first->second));
}

/// Takes the header's keys out of `config`.
Header take_header(Config& config) {
  if (const Config* seeds = config.find("seeds")) check_seeds(*seeds);
  Config header = Config::empty_mapping();
  for (const char* key : {"question", "seed", "seeds", "report"}) {
    if (const Config* value = config.find(key)) header.add(key, *value);
    config.erase(key);
  }
  return read_options<Header>(header);
}

void refuse_unknown_keys(const Config& config) {
  std::vector<std::string> known{"question", "seeds", "sweep", "report"};
  const Config run = write_options(Run{});
  for (const Config::Entry& entry : run.entries) known.push_back(entry.key);
  for (const Config::Entry& entry : config.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    Config key = entry.value;
    key.place = entry.key_place;
    const std::string meant = suggestion(entry.key, known);
    if (meant.find("did you mean") == std::string::npos) {
      // It may be known further down: a run with nothing else says where.
      Config alone = Config::empty_mapping();
      alone.entries.push_back(entry);
      read_options<Run>(alone);
    }
    key.fail("unknown key" + meant);
  }
}

std::vector<SweepAxis> take_sweep(Config& config) {
  std::vector<SweepAxis> axes;
  if (const Config* sweep = config.find("sweep")) axes = read_sweep(*sweep);
  config.erase("sweep");
  return axes;
}

std::string file_name(std::string_view label) {
  std::string name;
  for (const char c : label) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name;
}

std::string run_id(const PlannedRun& planned) {
  std::string id;
  for (const auto& [axis, label] : planned.axes) id += (id.empty() ? "" : "-") + file_name(label);
  if (id.empty()) id = planned.run.model.type();
  if (id.front() == '.') id.insert(0, "_");  // a value as .5 must not hide its run
  return fmt::format("{}-seed{}-{}", id.substr(0, 80), planned.run.seed, planned.run.fingerprint());
}

/// Reads the run at one point; contradictions found without a place of their own get the file's name.
Run read_run(const Config& config, std::vector<std::string>& notes) {
  try {
    return Run::read(config, &notes);
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    if (message.starts_with(config.place.source) || message.starts_with("command line")) throw;
    throw ConfigError(fmt::format("{}: {}", config.place.source, message));
  }
}

/// All runs below axis `depth`, the base already holding the points of the axes before it.
void expand(const Config& base, const std::vector<SweepAxis>& axes, const std::vector<int64_t>& seeds,
            size_t depth, std::vector<std::pair<std::string, std::string>>& labels, Experiment& experiment) {
  if (depth == axes.size()) {
    // A point of the sweep may set the seed itself.
    const Config* own = base.find("seed");
    for (const int64_t seed : own != nullptr ? std::vector<int64_t>{0} : seeds) {
      Config config = base;
      if (own == nullptr) config.set("seed", Config::scalar(std::to_string(seed)));
      PlannedRun planned{read_run(config, experiment.notes), "", labels};
      planned.id = run_id(planned);
      experiment.runs.push_back(std::move(planned));
    }
    return;
  }
  for (const SweepPoint& point : axes[depth].points) {
    Config config = base;
    for (const auto& [path, value] : point.assignments) config.set(path, value);
    labels.emplace_back(axes[depth].name, point.label);
    expand(config, axes, seeds, depth + 1, labels, experiment);
    labels.pop_back();
  }
}

/// `place`: what is to be named as the cause.
void refuse_equal_runs(const std::vector<PlannedRun>& runs, const Config& place) {
  std::set<std::string> courses, ids;
  for (const PlannedRun& planned : runs) {
    const std::string limits = write_options(planned.run.training.stop).to_yaml();
    if (!courses.insert(planned.run.fingerprint() + limits).second)
      place.fail(fmt::format("two runs are the same: {}", planned.id));
    if (!ids.insert(planned.id).second)
      place.fail(
          fmt::format("two runs that differ in their limits alone have the same name: {}", planned.id));
  }
}

/// Every run of a sweep says the same of a word they share.
void keep_distinct(std::vector<std::string>& notes) {
  std::set<std::string> seen;
  std::erase_if(notes, [&](const std::string& note) { return !seen.insert(note).second; });
}

}  // namespace

Experiment Experiment::read(Config config, const std::vector<std::string>& overrides) {
  if (!config.is_mapping()) config.fail("a description is a mapping of keys to values");
  for (const std::string& text : overrides) config.set_from(text);
  refuse_unknown_keys(config);
  Experiment experiment;
  experiment.description = config;
  const Header header = take_header(config);
  experiment.question = header.question;
  experiment.report = header.report;
  const std::vector<SweepAxis> axes = take_sweep(config);
  if (header.seed && !header.seeds.empty()) config.fail("seeds: give either seed or seeds");
  const std::vector<int64_t> seeds =
      header.seeds.empty() ? std::vector<int64_t>{header.seed.value_or(0)} : header.seeds;
  std::vector<std::pair<std::string, std::string>> labels;
  expand(config, axes, seeds, 0, labels, experiment);
  keep_distinct(experiment.notes);
  experiment.name = experiment.runs.front().run.name;
  const Config* sweep = experiment.description.find("sweep");
  refuse_equal_runs(experiment.runs, sweep != nullptr ? *sweep : config);
  return experiment;
}

}  // namespace plumb
