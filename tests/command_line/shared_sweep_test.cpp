// Two programs on one sweep. Oracle: the same sweep by one program, and the sittings each run recorded.
#include <thread>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <nlohmann/json.hpp>
#include <signal.h>

#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;

namespace {

// Runs of a second or two: 40,000 updates each.
const std::string sweep =
    "name: shared\n"
    "data: {type: sphere, train_examples: 40, test_examples: 10, dimension: 4, classes: 2}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: mlp, width: 4, depth: 1}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.01}, batch_size: 20, record_every: 500,\n"
    "           evaluate_every: 500, stop: {epochs: 1500}}\n"
    "checkpoint: {every_steps: 1000}\n"
    "compute: {device: cpu, threads: 1}\n"
    "seeds: [0, 1, 2]\n";

std::vector<std::filesystem::path> runs_in(const std::filesystem::path& experiment) {
  std::vector<std::filesystem::path> runs;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(experiment, absent))
    if (std::filesystem::exists(entry.path() / "run.yaml")) runs.push_back(entry.path());
  return runs;
}

template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("two programs on one sweep leave each other's runs, and both end well", "[command_line][shared]") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "s.yaml", sweep);
  const std::vector<std::string> words{
      plumb_program(), "run", (folder / "s.yaml").string(), "--out", (folder / "out").string(),
      "--jobs",        "1"};
  const pid_t first = test::start_program(words), second = test::start_program(words);
  CHECK(test::wait_for(first) == 0);
  CHECK(test::wait_for(second) == 0);
  const auto runs = runs_in(folder / "out" / "shared");
  CHECK(runs.size() == 3);
  for (const auto& run : runs) {
    CHECK(std::filesystem::exists(run / "outcome.json"));
    const auto provenance = nlohmann::json::parse(read_file(run / "provenance.json"));
    CHECK(provenance["sittings"].size() == 1);  // trained once
  }
}

TEST_CASE("a program takes over the run of one that was killed", "[command_line][shared]") {
  const test::TemporaryFolder folder;
  std::string yaml = sweep;
  yaml.replace(yaml.find("epochs: 1500"), 12, "epochs: 4000");
  write_file_atomically(folder / "s.yaml", yaml);
  const std::vector<std::string> words{
      plumb_program(), "run", (folder / "s.yaml").string(), "--out", (folder / "out").string(), "seeds=[0]"};
  const pid_t first = test::start_program(words);
  const auto experiment = folder / "out" / "shared";
  REQUIRE(comes_true([&] {
    return runs_in(experiment).size() == 1 &&
           std::filesystem::exists(runs_in(experiment)[0] / "checkpoint.pt");
  }));
  const std::string log = (folder / "log").string();
  std::string line = "exec";
  for (const std::string& word : words) line += " '" + word + "'";
  const pid_t second = test::start_program({"sh", "-c", line + " > " + log});
  REQUIRE(comes_true([&] {
    return std::filesystem::exists(log) &&
           read_file(log).find("waiting for 1 run that another process trains") != std::string::npos;
  }));
  ::kill(first, SIGKILL);
  test::wait_for(first);
  CHECK(test::wait_for(second) == 0);
  CHECK(std::filesystem::exists(runs_in(experiment)[0] / "outcome.json"));
  CHECK_THAT(read_file(log), ContainsSubstring("resumed at step"));
}
