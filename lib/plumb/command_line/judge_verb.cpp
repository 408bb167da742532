#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plumb/command_line/output.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/run_folder.hpp"
#include "plumb/theorems/verdict_text.hpp"

namespace plumb {
namespace {

struct JudgeArguments {
  std::string run;
  std::vector<std::string> theorems;
  bool json = false;
};

/// Those named, as words or as {type: ..., option: ...}; the run's own where none is.
std::vector<Config> asked(const JudgeArguments& arguments, const RecordedRun& run) {
  std::vector<Config> theorems;
  for (const std::string& word : arguments.theorems) theorems.push_back(Config::parse(word, "command line"));
  if (theorems.empty()) theorems = run.theorems;
  if (theorems.empty())
    throw ConfigError(
        fmt::format("command line: {} was asked for no theorem; name one, as in `plumb judge {} "
                    "pl_linear_rate`",
                    arguments.run, arguments.run));
  return theorems;
}

int judge_run(const JudgeArguments& arguments) {
  const RecordedRun run = load_run(arguments.run);
  auto json = nlohmann::ordered_json::array();
  bool fails = false;
  for (const Config& theorem : asked(arguments, run)) {
    const Judgement judgement = judge(run, theorem);
    fails = fails || std::ranges::any_of(judgement.claims, [](const Claim& claim) {
              return claim.verdict.ruling == theory::Ruling::fails;
            });
    if (arguments.json)
      json.push_back(judgement_json(judgement));
    else
      say("{}", judgement_text(judgement));
  }
  if (arguments.json) say("{}\n", json.dump(2));
  return fails ? status_not_as_expected : status_done;
}

}  // namespace

void add_judge_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<JudgeArguments>();
  CLI::App* verb = program.add_subcommand("judge", "Hold theorems against what a run recorded");
  verb->footer("Exit status: 0, or 3 when a claim fails although its hypotheses are met.");
  verb->add_option("run", arguments->run, "a run's folder, runs/<name>/<run>")->required();
  verb->add_option(
      "theorems", arguments->theorems,
      "as `plumb list theorem` names them, or \"{type: du_2019, delta: 0.05}\"; default: those of the "
      "run's description");
  verb->add_flag("--json", arguments->json, "every number as JSON");
  verb->callback([&action, arguments] { action = [arguments] { return judge_run(*arguments); }; });
}

}  // namespace plumb
