#include <fmt/format.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/experiment/experiment.hpp"

namespace plumb {
namespace {

struct CheckArguments {
  std::vector<std::string> files;
  std::vector<std::string> overrides;
  bool resolved = false;
};

int check_experiments(const CheckArguments& arguments) {
  for (const std::string& file : arguments.files) {
    const Config description = Config::load(file);
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
  }
  return kDone;
}

}  // namespace

void add_check_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<CheckArguments>();
  CLI::App* verb =
      program.add_subcommand("check", "Read experiments, say what is wrong with them, list their runs");
  verb->add_option("experiments", arguments->files, "YAML descriptions")->required();
  verb->add_option("--set", arguments->overrides, "key.path=value, as for `run`");
  verb->add_flag("--resolved", arguments->resolved, "print each run's complete description");
  verb->callback([&action, arguments] { action = [arguments] { return check_experiments(*arguments); }; });
}

}  // namespace plumb
