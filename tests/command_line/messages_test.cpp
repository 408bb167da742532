// What the program says to people who are nearly right. Oracle: the sentences they should read, by hand.
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <sys/stat.h>

#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;
using test::run_program;

namespace {

const std::string tiny =
    "name: tiny\n"
    "data: {type: sphere, train_examples: 20, test_examples: 10, dimension: 4, classes: 2}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: mlp, width: 4, depth: 1}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 10, stop: {epochs: 1}}\n"
    "compute: {device: cpu, threads: 1}\n";

/// What `plumb check` says of the description with more lines.
std::string said_of(const std::string& more, const std::vector<std::string>& words = {}) {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "tiny.yaml", tiny + more);
  std::vector<std::string> arguments{plumb_program(), "check", (folder / "tiny.yaml").string()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto result = run_program(arguments);
  return fmt::format("{} {}", result.status, result.output);
}

std::string said(const std::vector<std::string>& words) {
  std::vector<std::string> arguments{plumb_program()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto result = run_program(arguments);
  return fmt::format("{} {}", result.status, result.output);
}

}  // namespace

TEST_CASE("a wrong verb, no verb and help are answered in a line or two", "[command_line][messages]") {
  CHECK(said({"runn"}) == "2 plumb: no verb is called 'runn'; did you mean 'run'?\n");
  CHECK_THAT(said({}),
             ContainsSubstring("2 plumb runs experiments: plumb run FILE. Verbs: run, check, list"));
  CHECK_THAT(said({"help"}), ContainsSubstring("0 ") && ContainsSubstring("Subcommands"));
  CHECK_THAT(said({"help", "run"}), ContainsSubstring("--jobs") && ContainsSubstring("overrides"));
  CHECK_THAT(said({"help", "chek"}), ContainsSubstring("did you mean 'check'?"));
  CHECK_THAT(said({"--help"}), ContainsSubstring("0 ") && ContainsSubstring("Subcommands"));
  CHECK_THAT(said({"help"}), !ContainsSubstring("train the run"));
}

TEST_CASE("numbers of the command line are refused without 309 digits", "[command_line][messages]") {
  CHECK_THAT(said({"run", "x.yaml", "--jobs", "0"}),
             ContainsSubstring("2 --jobs: '0' is not a whole number of at least 1"));
  CHECK_THAT(said({"run", "x.yaml", "--jobs", "two"}), ContainsSubstring("'two' is not a whole number"));
  CHECK_THAT(said({"verify", "--seed", "-1"}), ContainsSubstring("'-1' is not a whole number of at least 0"));
}

TEST_CASE("settings are given alike to run and check, and the description by standard input",
          "[command_line][messages]") {
  CHECK_THAT(said_of("", {"training.batch_size=0"}),
             ContainsSubstring("2 ") && ContainsSubstring("0 must be positive"));
  CHECK_THAT(said_of("", {"--set", "training.batch_size=0"}), ContainsSubstring("0 must be positive"));
  CHECK_THAT(said_of("", {"seeds=[0,1,2]"}), ContainsSubstring("0 ") && ContainsSubstring("tiny, 3 runs"));
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "tiny.yaml", tiny);
  const std::string program = plumb_program(), file = (folder / "tiny.yaml").string();
  const auto piped = run_program(
      {"sh", "-c",
       program + " run - name=piped --set seed=3 --out " + (folder / "out").string() + " < " + file});
  CHECK(piped.status == 0);
  CHECK_THAT(piped.output, ContainsSubstring("piped: 1 run, 1 to do"));
  CHECK(std::filesystem::exists(folder / "out" / "piped" / "report.html"));
  CHECK_THAT(run_program({"sh", "-c", program + " check - < " + file}).output,
             ContainsSubstring("-: tiny, 1 run"));
  const auto wrong = run_program({"sh", "-c", "echo 'a: [' | " + program + " check -"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.output, ContainsSubstring("standard input:2:"));
}

TEST_CASE("words that are nearly keys are answered by the key", "[command_line][messages]") {
  CHECK_THAT(said_of("lr: 0.1\n"), ContainsSubstring("did you mean 'training.optimizer.learning_rate'?"));
  CHECK_THAT(said_of("train: {batch_size: 3}\n"), ContainsSubstring("did you mean 'training'?"));
  CHECK_THAT(said_of("", {"training.optimizer.lr=0.1"}), ContainsSubstring("did you mean 'learning_rate'?"));
  CHECK_THAT(said_of("", {"training.lr=0.1"}), ContainsSubstring("did you mean 'optimizer.learning_rate'?"));
  CHECK_THAT(said_of("", {"training.epochs=3"}), ContainsSubstring("did you mean 'stop.epochs'?"));
  CHECK_THAT(said_of("epochs: 3\n"), ContainsSubstring("did you mean 'training.stop.epochs'?"));
}

TEST_CASE("seeds are a list, each once, and the second is shown", "[command_line][messages]") {
  CHECK_THAT(
      said_of("seeds: 3\n"),
      ContainsSubstring("tiny.yaml:7:8: seeds: a list of seeds is expected: write [3] for the one seed 3"));
  CHECK_THAT(said_of("seeds:\n  - 1\n  - 2\n  - 1\n"),
             ContainsSubstring("tiny.yaml:10:5: seeds[2]: seed 1 is given twice; first at line 8"));
}

TEST_CASE("names, links and folders that are not what they should be are named", "[command_line][messages]") {
  CHECK_THAT(said_of("", {"name=" + std::string(300, 'x')}),
             ContainsSubstring("name: a name of 300 letters; at most 80 are possible"));
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "tiny.yaml", tiny);
  std::filesystem::create_symlink("nowhere", folder / "out");
  const auto result = run_program(
      {plumb_program(), "run", (folder / "tiny.yaml").string(), "--out", (folder / "out").string()});
  CHECK(result.status == 2);
  CHECK_THAT(result.output, ContainsSubstring("it is a link to nowhere, which is not there"));
  std::filesystem::create_directory(folder / "cifar-10-batches-py");
  write_file_atomically(folder / "c.yaml",
                        "name: c\ndata: cifar10\nmodel: mlp_1x512\ncompute: {device: cpu}\n");
  CHECK_THAT(
      run_program({plumb_program(), "check", (folder / "c.yaml").string(), "--data", folder.path().string()})
          .output,
      ContainsSubstring("cifar-10-batches-py is there, the same images in a form that plumb does not read"));
}
