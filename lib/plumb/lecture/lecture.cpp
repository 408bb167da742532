#include "plumb/lecture/lecture.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/lecture/lecture_page.hpp"

namespace plumb {
namespace {

std::string lower_case(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  return word;
}

/// "S9" -> 9; the letters before the number tell systems of the lecture from additions.
std::pair<std::string, int64_t> order_of(const std::string& id) {
  const size_t digit = id.find_first_of("0123456789");
  if (digit == std::string::npos) return {id, 0};
  return {id.substr(0, digit), std::stoll(id.substr(digit))};
}

nlohmann::json provenance_of(const LectureExperiment& experiment, double seconds) {
  const Versions version = versions();
  return {{"plumb", version.plumb},
          {"commit", version.commit},
          {"compiler", version.compiler},
          {"libtorch", version.libtorch},
          {"blas", version.blas},
          {"cpu", processor_name()},
          {"threads", at::get_num_threads()},
          {"seed", experiment.seed},
          {"seconds", seconds},
          {"ended", timestamp()}};
}

}  // namespace

void LectureExperiment::fields(Fields& f) {
  f.field("name", name, "name of the folder with the results");
  f.field("question", question, "what is asked");
  f.component("system", system, "the system of the lecture");
  f.field("seed", seed, "seed of everything random", non_negative);
}

LectureExperiment LectureExperiment::read(Config config, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) config.set_from(text);
  LectureExperiment experiment = read_options<LectureExperiment>(config);
  if (experiment.system.empty()) config.fail("no system is chosen; write `system: {type: ...}`");
  try {
    const Statement statement = experiment.system.make()->statement();
    if (experiment.name.empty()) experiment.name = statement.id + "_" + experiment.system.type();
  } catch (const ContractError& error) {
    config.find("system")->fail(error.what());
  } catch (const ConfigError& error) {
    // A system knows what contradicts itself in its options, not where they are written.
    config.find("system")->fail(error.what());
  }
  return experiment;
}

LectureExperiment LectureExperiment::of_system(const std::string& word, bool paper,
                                               const std::vector<std::string>& overrides) {
  const std::vector<SystemName> all = lecture_systems();
  const auto found = std::find_if(all.begin(), all.end(), [&](const SystemName& name) {
    return lower_case(name.id) == lower_case(word) || name.type == word;
  });
  if (found == all.end()) {
    std::vector<std::string> known;
    for (const SystemName& name : all) known.push_back(name.id);
    throw ConfigError(fmt::format("command line: '{}' is no system of the lecture; known: {}", word,
                                  fmt::join(known, ", ")));
  }
  Config config = Config::parse(fmt::format("system: {{type: {}}}", found->type), "command line");
  std::vector<std::string> all_overrides;
  if (paper)
    for (const std::string& text : systems().at(found->type)->make()->paper_size())
      all_overrides.push_back("system." + text);
  for (const std::string& text : overrides) all_overrides.push_back("system." + text);
  return read(std::move(config), all_overrides);
}

bool describes_system(const Config& config) {
  return config.is_mapping() && config.find("system") != nullptr;
}

std::vector<SystemName> lecture_systems() {
  std::vector<SystemName> names;
  for (const std::string& type : systems().names()) {
    const Statement statement = systems().at(type)->make()->statement();
    names.push_back({statement.id, type, statement.title});
  }
  std::sort(names.begin(), names.end(), [](const SystemName& a, const SystemName& b) {
    const auto [letters, number] = order_of(a.id);
    const auto [other_letters, other_number] = order_of(b.id);
    // The lecture's own systems come first.
    return std::tuple(letters != "S", letters, number, a.id) <
           std::tuple(other_letters != "S", other_letters, other_number, b.id);
  });
  return names;
}

bool SystemReport::as_expected() const {
  return !evidence.claims.empty() && std::all_of(evidence.claims.begin(), evidence.claims.end(),
                                                 [](const Claim& claim) { return claim.as_expected(); });
}

SystemReport run_lecture(const LectureExperiment& experiment, const std::filesystem::path& folder,
                         const Surroundings& surroundings) {
  const auto began = std::chrono::steady_clock::now();
  SystemReport report;
  const std::unique_ptr<System> system = experiment.system.make();
  report.statement = system->statement();
  report.evidence = system->run(surroundings);
  expects(!report.evidence.claims.empty(), "{}: a system without claims", experiment.system.type());
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const std::string description = write_options(experiment).to_yaml();
  make_directory(folder);
  write_file_atomically(folder / "description.yaml", description);
  write_file_atomically(folder / "provenance.json", provenance_of(experiment, report.seconds).dump(2) + "\n");
  write_file_atomically(folder / "claims.json", claims_json(report));
  report.page = write_system_page(report, experiment.system.type(), description, folder);
  return report;
}

}  // namespace plumb
