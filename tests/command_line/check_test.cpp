// What `run` would refuse, said by `check`. Oracle: `run` itself on the same description, and messages by
// hand.
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"

#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;
using test::ProgramResult;
using test::run_program;

namespace {

const std::string vectors =
    "name: v\n"
    "data: {type: sphere, train_examples: 100, test_examples: 10, dimension: 4, classes: 2}\n"
    "preprocessing: {normalize: none}\n"
    "training: {batch_size: 10, stop: {epochs: 1}}\n"
    "compute: {device: cpu, threads: 1}\n";
const std::string mlp = "model: {type: mlp, width: 4, depth: 1}\n";

ProgramResult asked(const std::string& verb, const std::string& yaml) {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "v.yaml", yaml);
  std::vector<std::string> words{plumb_program(), verb, (folder / "v.yaml").string(), "--data",
                                 folder.path().string()};
  if (verb == "run") words.insert(words.end(), {"--out", (folder / "out").string()});
  return run_program(words);
}

/// Both refuse the description, with the same words.
void check_refused(const std::string& yaml, const std::string& words) {
  INFO(yaml);
  const ProgramResult checked = asked("check", yaml), run = asked("run", yaml);
  CHECK(checked.status == 2);
  CHECK_THAT(checked.output, ContainsSubstring(words));
  CHECK(run.status != 0);
  CHECK_THAT(run.output, ContainsSubstring(words));
}

}  // namespace

TEST_CASE("check says what run would refuse once it has the data", "[command_line][check]") {
  check_refused(vectors + mlp + "subset: {train_examples: 999}\n",
                "999 asked for; the classes chosen have 100");
  check_refused(vectors + mlp + "subset: {classes: [dogg]}\n", "unknown class 'dogg'");
  check_refused(vectors + "model: small_alexnet\n", "small_alexnet");
}

TEST_CASE("check says what probes would refuse, by name", "[command_line][check][probes]") {
  check_refused(
      vectors + "model: {type: mlp, width: 4, depth: 1, activation: gelu}\nprobes: [activation_flips]\n",
      "probes: activation_flips: the network has no ReLU, leaky ReLU or threshold");
  check_refused(vectors + mlp + "probes: [{type: tangent_kernel, examples: 100000}]\n",
                "probes: tangent_kernel: examples: 100000 asked for; the training set has 100");
  check_refused(vectors + mlp + "probes: [{type: gradient, name: g, loss_examples: 101}]\n",
                "probes: g: loss_examples: 101 asked for; the training set has 100");
}

TEST_CASE("a network beyond the memory there is is refused before it is made", "[command_line][check]") {
  const ProgramResult checked = asked("check", vectors + "model: {type: mlp, width: 4000000000, depth: 2}\n");
  CHECK(checked.status == 2);
  CHECK_THAT(checked.output, ContainsSubstring("model: needs more memory than there is"));
}

TEST_CASE("one refused point is told from the others, which are looked at, too", "[command_line][check]") {
  const ProgramResult checked = asked(
      "check", vectors + mlp +
                   "seeds: [0, 1]\nsweep:\n  setting:\n    good: {}\n    bad: {subset.train_examples: 999}\n"
                   "    worse: {model: small_alexnet}\n");
  CHECK(checked.status == 2);
  CHECK_THAT(checked.output, ContainsSubstring("the classes chosen have 100 (bad-seed0-"));
  CHECK_THAT(checked.output, ContainsSubstring("(worse-seed0-"));
  CHECK(checked.output.find("(good") == std::string::npos);
}

TEST_CASE("check says what it could not look at for want of data", "[command_line][check]") {
  const ProgramResult checked = asked("check", "name: c\ndata: cifar10\n" + mlp + "compute: {device: cpu}\n");
  CHECK(checked.status == 0);
  CHECK_THAT(checked.output,
             ContainsSubstring("not checked: subset, model, initial weights and probes, as data are "
                               "missing: ") &&
                 ContainsSubstring("plumb fetch cifar10"));
}
