#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/lecture/lecture.hpp"

namespace plumb {
namespace {

struct VerifyArguments {
  std::vector<std::string> systems;
  std::vector<std::string> overrides;
  std::string data_folder = default_data_folder();
  std::string out = "runs/lecture";
  bool paper = false;
  int64_t seed = 0;
};

int verify(VerifyArguments arguments) {
  for (std::string& text : take_overrides(arguments.systems)) arguments.overrides.push_back(std::move(text));
  if (!arguments.overrides.empty() && arguments.systems.size() != 1)
    throw ConfigError(
        "command line: key=value changes the options of one system; name it, as in `verify S9`");
  std::vector<LectureExperiment> experiments;
  std::vector<std::string> words = arguments.systems;
  if (words.empty())
    for (const SystemName& name : lecture_systems()) words.push_back(name.id);
  for (const std::string& word : words) {
    experiments.push_back(LectureExperiment::of_system(word, arguments.paper, arguments.overrides));
    experiments.back().seed = arguments.seed;
  }
  int status = status_done;
  for (const LectureExperiment& experiment : experiments)
    status = std::max(status, run_system(experiment, arguments.out, arguments.data_folder));
  fmt::print("all verdicts  {}\n", write_lecture_index(arguments.out).string());
  return status;
}

}  // namespace

int run_system(const LectureExperiment& experiment, const std::filesystem::path& out,
               const std::string& data_folder) {
  at::set_num_threads(available_cores());
  const auto tell = [&](const std::string& doing) {
    // A line that the next one replaces, for people who wait.
    if (::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r\033[K{}: {}\r", experiment.name, doing);
  };
  tell("at work");
  const Surroundings surroundings{Seed(static_cast<uint64_t>(experiment.seed)), data_folder, tell};
  const SystemReport report = run_lecture(experiment, out / experiment.name, surroundings);
  tell("");
  fmt::print("{}    {:.0f} s   page {}\n\n", verdict_table(report), report.seconds, report.page.string());
  std::fflush(stdout);
  return report.as_expected() ? status_done : status_not_as_expected;
}

void add_verify_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* verb = program.add_subcommand(
      "verify", "Measure the lecture's systems and judge every claim; status 3 when one is not as expected");
  verb->add_option("systems", arguments->systems,
                   "S1, S9, ... or their types; default: all; key=value changes an option of the one named");
  verb->add_flag("--paper", arguments->paper, "at the size of the papers, which takes much longer");
  verb->add_option("--set", arguments->overrides, "key=value, the same");
  verb->add_option("--seed", arguments->seed, "seed of everything random")->check(at_least(0));
  verb->add_option("--data", arguments->data_folder, "folder with data sets")->capture_default_str();
  verb->add_option("--out", arguments->out, "folder for results")->capture_default_str();
  verb->callback([&action, arguments] { action = [arguments] { return verify(*arguments); }; });
}

}  // namespace plumb
