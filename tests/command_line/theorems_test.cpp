// Theorems as a person meets them: listed, asked of an experiment over seeds, and of a finished run.
// Oracle: the same judgements made in this process.
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <nlohmann/json.hpp>

#include "plumb/core/files.hpp"
#include "plumb/experiment/run_folder.hpp"
#include "plumb/theorems/theorem.hpp"

using namespace plumb;
using test::plumb_program;
using test::run_program;

namespace {

const std::string asked =
    "name: asked\n"
    "data: {type: sphere, train_examples: 12, test_examples: 4, dimension: 20, targets: normal}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: two_layer, width: 128}\n"
    "training: {loss: {type: square, factor: 0.5, reduction: sum}, optimizer: {type: gd, learning_rate: "
    "0.5}, "
    "stop: {steps: 20, epochs: none}}\n"
    "compute: {precision: float64, device: cpu, threads: 1}\n"
    "seeds: [0, 1]\n";

test::ProgramResult run_asked(const test::TemporaryFolder& folder, const std::string& more) {
  write_file_atomically(folder / "asked.yaml", asked + more);
  return run_program(
      {plumb_program(), "run", (folder / "asked.yaml").string(), "--out", (folder / "out").string()});
}

std::vector<std::filesystem::path> runs_in(const test::TemporaryFolder& folder) {
  std::vector<std::filesystem::path> runs;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "out" / "asked"))
    if (std::filesystem::exists(entry.path() / "run.yaml")) runs.push_back(entry.path());
  return runs;
}

}  // namespace

TEST_CASE("an experiment's theorems are judged over its seeds, on the page and as numbers",
          "[command_line][theorems]") {
  const test::TemporaryFolder folder;
  const auto ran = run_asked(folder, "theorems: [pl_linear_rate, du_2019]\n");
  INFO(ran.output);
  CHECK(ran.status == 0);
  CHECK_THAT(ran.output, ContainsSubstring("holds in 2 of 2 runs"));
  CHECK_THAT(ran.output, ContainsSubstring("hypotheses not met in 2 of 2 runs"));
  // Real targets have no accuracy.
  CHECK_THAT(ran.output, ContainsSubstring("the training loss ended at"));
  const std::string page = read_file(folder / "out/asked/report.html");
  CHECK_THAT(page, ContainsSubstring("Theorems"));
  CHECK_THAT(page, ContainsSubstring("Linear rate of gradient descent on nonlinear least squares"));
  const auto json = nlohmann::json::parse(read_file(folder / "out/asked/theorems.json"));
  REQUIRE(json.size() == 4);
  for (const auto& entry : json) {
    const RecordedRun run = load_run(folder / "out/asked" / entry["run"].get<std::string>());
    const Judgement judgement = judge(run, Config::parse(entry["theorem"].get<std::string>()));
    REQUIRE(entry["claims"].size() == judgement.claims.size());
    for (size_t i = 0; i < judgement.claims.size(); ++i) {
      const auto& claim = entry["claims"][i];
      CHECK(claim["measured"].get<double>() == judgement.claims[i].verdict.measured);
      CHECK(claim["ruling"] == std::string(theory::ruling_text(judgement.claims[i].verdict.ruling)));
      if (claim.contains("series")) CHECK(claim["series"]["x"].size() == claim["series"]["measured"].size());
    }
  }
}

TEST_CASE("a finished run is asked for a theorem, as far as it recorded what is needed",
          "[command_line][theorems]") {
  const test::TemporaryFolder folder;
  CHECK(run_asked(folder, "probes: [gradient, {type: sharpness, every: 1, examples: 12}]\n").status == 0);
  const std::string run = runs_in(folder).at(0).string();
  const auto lemma = run_program({plumb_program(), "judge", run, "{type: descent_lemma, examples: 12}"});
  INFO(lemma.output);
  CHECK(lemma.status == 0);
  CHECK_THAT(lemma.output, ContainsSubstring("holds"));
  const auto rate = run_program({plumb_program(), "judge", run, "pl_linear_rate"});
  CHECK(rate.status == 0);
  CHECK_THAT(rate.output, ContainsSubstring("undecided: the run recorded no probe type: tangent_kernel"));
  const auto none = run_program({plumb_program(), "judge", run});
  CHECK(none.status == 2);
  CHECK_THAT(none.output, ContainsSubstring("name one"));
  const auto json =
      run_program({plumb_program(), "judge", run, "{type: descent_lemma, examples: 12}", "--json"});
  CHECK(nlohmann::json::parse(json.output)[0]["claims"][0]["ruling"] == "holds");
  CHECK(run_program({plumb_program(), "judge", (folder / "nothing").string(), "du_2019"}).status == 2);
}

TEST_CASE("theorems are listed with what they state and need", "[command_line][theorems]") {
  const auto all = run_program({plumb_program(), "list", "theorem"});
  CHECK(all.status == 0);
  for (const std::string& name : theorems().names()) CHECK_THAT(all.output, ContainsSubstring(name));
  const auto one = run_program({plumb_program(), "list", "theorem", "du_2019"});
  CHECK_THAT(one.output, ContainsSubstring("lambda_0 = lambda_min(H^inf)"));
  CHECK_THAT(one.output, ContainsSubstring("neuron_movement"));
  CHECK_THAT(one.output, ContainsSubstring("delta: 0.1"));
}
