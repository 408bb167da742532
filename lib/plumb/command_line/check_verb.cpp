#include <map>
#include <set>

#include <fmt/ranges.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/identity.hpp"
#include "plumb/experiment/rehearsal.hpp"

namespace plumb {
namespace {

struct CheckArguments {
  std::vector<std::string> files;
  std::vector<std::string> overrides;
  std::string data_folder = default_data_folder();
  bool resolved = false;
};

/// Names of runs under what is to be said of them.
using Findings = std::map<std::string, std::vector<std::string>>;

/// "a, b and 7 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t most = 3;
  if (names.size() <= most) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + most, ", "),
                     names.size() - most);
}

/// Prepares every run that differs in more than its seed; true when none is refused.
bool rehearse_runs(const std::string& file, const Experiment& experiment, const std::string& data_folder) {
  Findings refused, unchecked;
  std::set<std::string> seen;
  for (const PlannedRun& planned : experiment.runs) {
    if (!seen.insert(run_identity(planned.run.description()).to_yaml()).second) continue;
    try {
      if (const std::string what = rehearse(planned.run, data_folder); !what.empty())
        unchecked[what].push_back(planned.id);
    } catch (const Error& error) {
      refused[error.what()].push_back(planned.id);
    }
  }
  for (const auto& [what, runs] : unchecked) fmt::print("  not checked: {} ({})\n", what, some_of(runs));
  for (const auto& [why, runs] : refused)
    fmt::print(stderr, "plumb: {}: {} ({})\n", file, why, some_of(runs));
  return refused.empty();
}

int check_experiments(CheckArguments arguments) {
  int status = status_done;
  for (std::string& text : take_overrides(arguments.files)) arguments.overrides.push_back(std::move(text));
  for (const std::string& file : arguments.files) {
    const Config description = load_description(file);
    if (describes_system(description)) {
      const auto lecture = LectureExperiment::read(description, arguments.overrides);
      fmt::print("{}: {}, system {}\n", file, lecture.name, lecture.system.type());
      if (arguments.resolved) fmt::print("{}\n", write_options(lecture).to_yaml());
      continue;
    }
    const Experiment experiment = Experiment::read(description, arguments.overrides);
    fmt::print("{}: {}, {} run{}\n", file, experiment.name, experiment.runs.size(),
               experiment.runs.size() == 1 ? "" : "s");
    for (const std::string& note : experiment.notes) fmt::print("  {}\n", note);
    for (const PlannedRun& planned : experiment.runs) {
      fmt::print("  {}\n", planned.id);
      if (arguments.resolved) fmt::print("{}\n", planned.run.description().to_yaml());
    }
    std::fflush(stdout);
    if (!rehearse_runs(file, experiment, arguments.data_folder)) status = status_wrong_input;
  }
  return status;
}

}  // namespace

void add_check_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<CheckArguments>();
  CLI::App* verb = program.add_subcommand(
      "check", "Prepare every run of experiments without training it, say what is wrong, list the runs");
  verb->add_option("experiments", arguments->files,
                   "YAML descriptions, - for standard input; and key.path=value, as for `run`")
      ->required();
  verb->add_option("--set", arguments->overrides, "key.path=value, the same");
  verb->add_option("--data", arguments->data_folder, "folder with data sets")->capture_default_str();
  verb->add_flag("--resolved", arguments->resolved, "print each run's complete description");
  verb->callback([&action, arguments] { action = [arguments] { return check_experiments(*arguments); }; });
}

}  // namespace plumb
