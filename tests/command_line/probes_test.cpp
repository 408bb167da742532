// Probes as a person meets them: listed, checked, recorded, and killed in the middle.
// Oracle: the same experiment run without a kill, or without probes, compared byte for byte.
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <nlohmann/json.hpp>
#include <signal.h>

#include "plumb/core/archive.hpp"
#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;
using test::run_program;

namespace {

const std::string base =
    "name: small\n"
    "data: {type: sphere, train_examples: 200, test_examples: 50, dimension: 10, classes: 4}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: mlp, width: 16, depth: 1}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 4, record_every: 5, stop: {epochs: "
    "10}}\n"
    "checkpoint: {every_steps: 11}\n"
    "compute: {device: cpu, threads: 1}\n";

const std::string watched = base +
                            "probes:\n"
                            "  - {type: parameter_distance, every: 7}\n"
                            "  - {type: activation_flips, every: 20, examples: 8}\n"
                            "  - {type: gradient, name: slope, loss_examples: 20, examples: 4}\n";

test::ProgramResult run_yaml(const test::TemporaryFolder& folder, const std::string& yaml) {
  write_file_atomically(folder / "small.yaml", yaml);
  return run_program(
      {plumb_program(), "run", (folder / "small.yaml").string(), "--out", (folder / "out").string()});
}

std::filesystem::path run_in(const test::TemporaryFolder& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder / "out" / "small"))
    if (std::filesystem::exists(entry.path() / "run.yaml")) return entry.path();
  FAIL("no run in " << folder.path());
  return {};
}

int lines_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  int found = 0;
  for (std::string line; std::getline(stream, line);) ++found;
  return found;
}

}  // namespace

TEST_CASE("a run with probes has the series and weights of one without", "[command_line][probes]") {
  const test::TemporaryFolder alone, beside;
  REQUIRE(run_yaml(alone, base).status == 0);
  REQUIRE(run_yaml(beside, watched).status == 0);
  const auto left = run_in(alone), right = run_in(beside);
  CHECK(left.filename() == right.filename());  // the same run
  for (const char* file : {"steps.csv", "evaluations.csv"})
    CHECK(read_file(left / file) == read_file(right / file));
  const Archive weights = Archive::load(left / "model.pt"), others = Archive::load(right / "model.pt");
  for (const auto& [name, value] : weights.values())
    CHECK(std::get<Tensor>(value).equal(others.tensor(name)));
  CHECK_FALSE(std::filesystem::exists(left / "probes"));
  // 500 updates: every 7th, the first state and the last.
  CHECK(lines_of(right / "probes" / "parameter_distance.csv") == 1 + 72 + 1);
  CHECK(lines_of(right / "probes" / "slope.csv") == 1 + 10 + 1);
  CHECK(nlohmann::json::parse(read_file(right / "outcome.json"))["probe_seconds"].get<double>() > 0);
  CHECK_THAT(read_file(beside / "out" / "small" / "report.html"),
             ContainsSubstring("Geometry while training"));
}

TEST_CASE("the probes of a killed run go on to the same bytes", "[command_line][probes][resume]") {
  const test::TemporaryFolder whole, killed;
  REQUIRE(run_yaml(whole, watched).status == 0);
  const auto run = run_in(whole);
  const auto again = killed / "out" / "small" / run.filename();
  std::filesystem::create_directories(again);
  std::filesystem::copy_file(run / "run.yaml", again / "run.yaml");
  for (const int rows : {5, 23, 60}) {
    const pid_t process =
        test::start_program({plumb_program(), "train", again.string(), "--data", killed.path().string()});
    for (int i = 0; i < 6000 && lines_of(again / "steps.csv") < rows; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::kill(process, SIGKILL);
    CHECK(test::wait_for(process) == 128 + SIGKILL);
  }
  REQUIRE(run_yaml(killed, watched).status == 0);
  for (const char* name : {"parameter_distance.csv", "activation_flips.csv", "slope.csv"}) {
    INFO(name);
    CHECK(read_file(run / "probes" / name) == read_file(again / "probes" / name));
  }
}

TEST_CASE("a finished run with other probes is kept, and that is said", "[command_line][probes]") {
  const test::TemporaryFolder folder;
  REQUIRE(run_yaml(folder, base).status == 0);
  const auto again = run_yaml(folder, watched);
  CHECK(again.status == 0);
  CHECK_THAT(again.output, ContainsSubstring("1 run in " + (folder / "out" / "small").string() +
                                             " begun with other probes than asked for keep them; to measure "
                                             "again, remove their folders: " +
                                             run_in(folder).filename().string()));
  CHECK_THAT(again.output, ContainsSubstring("1 run, 0 to do"));
  CHECK_FALSE(std::filesystem::exists(run_in(folder) / "probes"));
}

TEST_CASE("probes are listed with options, columns and what they mean", "[command_line][probes]") {
  CHECK_THAT(run_program({plumb_program(), "list", "probe"}).output, ContainsSubstring("parameter_distance"));
  const std::string gradient = run_program({plumb_program(), "list", "probe", "gradient"}).output;
  CHECK_THAT(gradient, ContainsSubstring("at: auto"));
  CHECK_THAT(gradient, ContainsSubstring("columns:"));
  CHECK_THAT(gradient, ContainsSubstring("pl_ratio                 ||grad L||^2 / (L - L*)"));
  CHECK_THAT(run_program({plumb_program(), "list", "keys"}).output, ContainsSubstring("probes: []"));
}

TEST_CASE("wrong probes are found before anything starts", "[command_line][probes]") {
  const auto refusal = [](const std::string& probes) {
    const test::TemporaryFolder folder;
    write_file_atomically(folder / "small.yaml", base + "probes: " + probes + "\n");
    const auto result = run_program({plumb_program(), "check", (folder / "small.yaml").string()});
    CHECK(result.status == 2);
    return result.output;
  };
  CHECK_THAT(refusal("[gradiant]"),
             ContainsSubstring("probes[0]: 'gradiant' is not allowed; did you mean 'gradient'?"));
  CHECK_THAT(
      refusal("[gradient, gradient]"),
      ContainsSubstring("small.yaml:8:20: probes[1]: a second probe is called 'gradient'; give one of them a "
                        "name of its own"));
  CHECK_THAT(refusal("[{type: gradient, name: ../up}]"),
             ContainsSubstring("probes[0]: name '../up': letters, digits"));
  CHECK_THAT(refusal("gradient"), ContainsSubstring("probes: 'gradient' is not a list"));
}
