// Oracle: the runs and messages that each description means, written out by hand.
#include "plumb/experiment/experiment.hpp"

#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

const std::string base = "name: e\ndata: {type: sphere, train_examples: 20}\nmodel: {type: mlp, width: 8}\n";

Experiment read(const std::string& more, const std::vector<std::string>& overrides = {}) {
  return Experiment::read(Config::parse(base + more, "e.yaml"), overrides);
}

std::string refusal(const std::string& more, const std::vector<std::string>& overrides = {}) {
  try {
    read(more, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a sweep is the product of its axes, the first slowest, with every seed", "[experiment]") {
  const Experiment experiment = read(
      "seeds: [3, 4]\nsweep:\n  training.batch_size: [5, 10]\n  setting:\n    easy: {}\n    hard: "
      "{randomization: "
      "{type: corrupted_labels, probability: 0.5}, model.width: 16}\n");
  REQUIRE(experiment.runs.size() == 8);
  CHECK(experiment.runs[0].run.training.batch_size == 5);
  CHECK(experiment.runs[0].run.seed == 3);
  CHECK(experiment.runs[1].run.seed == 4);
  CHECK(experiment.runs[2].run.randomization.type() == "corrupted_labels");
  CHECK(experiment.runs[4].run.training.batch_size == 10);
  CHECK(experiment.runs[2].axes ==
        std::vector<std::pair<std::string, std::string>>{{"training.batch_size", "5"}, {"setting", "hard"}});
  CHECK(experiment.runs[2].id.starts_with("5-hard-seed3-"));
  CHECK(experiment.runs[2].run.description().find("model")->find("width")->text == "16");
}

TEST_CASE("a point of a sweep may set its own seed", "[experiment]") {
  const Experiment experiment = read("seed: 7\nsweep: {setting: {a: {}, b: {seed: 1}}}");
  REQUIRE(experiment.runs.size() == 2);
  CHECK(experiment.runs[0].run.seed == 7);
  CHECK(experiment.runs[1].run.seed == 1);
}

TEST_CASE("a resolved run reads back as the same run", "[experiment]") {
  const Experiment experiment =
      read("sweep: {randomization: [random_labels, {type: corrupted_labels, probability: 0.25}]}");
  for (const PlannedRun& planned : experiment.runs) {
    const std::string yaml = planned.run.description().to_yaml();
    const Experiment again = Experiment::read(Config::parse(yaml));
    REQUIRE(again.runs.size() == 1);
    CHECK(again.runs[0].run.fingerprint() == planned.run.fingerprint());
    CHECK(again.runs[0].run.description().to_yaml() == yaml);
  }
  CHECK(experiment.runs[1].axes[0].second == "corrupted_labels, probability: 0.25");
}

TEST_CASE("a run's identity follows from what moves its numbers", "[experiment]") {
  const std::string same = read("").runs[0].run.fingerprint();
  CHECK(read("compute: {threads: 3}\ncheckpoint: {every_seconds: 5}").runs[0].run.fingerprint() == same);
  CHECK(read("training: {loss: cross_entropy}").runs[0].run.fingerprint() == same);  // written-out default
  CHECK(read("seed: 1").runs[0].run.fingerprint() != same);
  CHECK(read("compute: {precision: float64}").runs[0].run.fingerprint() != same);
}

TEST_CASE("probes are no part of a run's identity, and part of its description", "[experiment][probes]") {
  const std::string same = read("").runs[0].run.fingerprint();
  const Experiment watched = read("probes: [{type: gradient, every: 5}, neuron_movement]");
  CHECK(watched.runs[0].run.fingerprint() == same);
  const Config description = watched.runs[0].run.description();
  REQUIRE(description.find("probes")->items.size() == 2);
  CHECK(description.find("probes")->items[0].find("every")->text == "5");
  CHECK(description.find("probes")->items[1].find("type")->text == "neuron_movement");
  const Experiment again = Experiment::read(Config::parse(description.to_yaml()));
  CHECK(again.runs[0].run.description().to_yaml() == description.to_yaml());
  CHECK(read("", {"probes=[gradient]"}).runs[0].run.probes.size() == 1);
}

TEST_CASE("a point of a sweep may have probes of its own", "[experiment][probes]") {
  const Experiment experiment = read(
      "probes: [gradient]\nsweep:\n  setting:\n    small: {}\n    large: {model.width: 99, probes: "
      "[gradient, "
      "neuron_movement]}\n");
  REQUIRE(experiment.runs.size() == 2);
  CHECK(experiment.runs[0].run.probes.size() == 1);
  CHECK(experiment.runs[1].run.probes.size() == 2);
  CHECK_THAT(refusal("sweep: {probes: [[gradient], []]}"), ContainsSubstring("two runs are the same"));
}

TEST_CASE("overrides on the command line win over the file", "[experiment]") {
  const Experiment experiment =
      read("training: {batch_size: 7}", {"training.batch_size=9", "model.width=3", "seed=5"});
  CHECK(experiment.runs[0].run.training.batch_size == 9);
  CHECK(experiment.runs[0].run.seed == 5);
  CHECK(refusal("", {"training.batch_size"}) ==
        "command line: 'training.batch_size': an override reads key.path=value");
  CHECK_THAT(refusal("", {"training.batch_sise=9"}),
             ContainsSubstring("training.batch_sise: unknown key; did you mean 'batch_size'?"));
  CHECK_THAT(refusal("", {"model.width=-1"}),
             ContainsSubstring("command line: model.width=-1:1:1: model.width: -1 must be positive"));
  CHECK_THAT(refusal("", {"model.width=[1"}), ContainsSubstring("command line: model.width=[1"));
}

TEST_CASE("what is wrong in any run of a sweep is found before the first one starts", "[experiment]") {
  CHECK(refusal("modle: x") == "e.yaml:4:1: modle: unknown key; did you mean 'model'?");
  CHECK(refusal("sweep: {model: [mlp, mlpp]}") ==
        "e.yaml:4:22: model: 'mlpp' is not allowed; did you mean 'mlp'? (allowed: " +
            fmt::format("{})", fmt::join(models().names(), ", ")));
  CHECK_THAT(refusal("sweep: {model.width: [1, 0]}"),
             ContainsSubstring("e.yaml:4:26: model.width: 0 must be positive"));
  CHECK_THAT(refusal("sweep: {model.width: []}"), ContainsSubstring("an axis needs at least one point"));
  CHECK_THAT(refusal("sweep: {model.width: 3}"), ContainsSubstring("an axis is a list of values"));
  CHECK_THAT(refusal("sweep: {model.width: [4, 4]}"), ContainsSubstring("two runs are the same"));
  CHECK_THAT(refusal("seed: 1\nseeds: [1]"), ContainsSubstring("give either seed or seeds"));
  CHECK_THAT(refusal("training: {optimizer: {type: sgd, nesterov: true, momentum: 0}}"),
             ContainsSubstring("e.yaml: training.optimizer.nesterov"));
  CHECK_THAT(refusal("training: {stop: {epochs: none}}"), ContainsSubstring("no limit is set"));
  CHECK_THAT(refusal("compute: {device: gpu}"),
             ContainsSubstring("e.yaml:4:10: compute: device 'gpu' is not known"));
  CHECK_THAT(refusal("compute: {device: 'cuda:x'}"), ContainsSubstring("is not known"));
  CHECK_THAT(refusal("augmentation: {flip: true}\nrandomization: random_pixels"),
             ContainsSubstring("cannot be combined"));
  CHECK_THROWS_WITH(Experiment::read(Config::parse("model: mlp\ndata: sphere", "e.yaml")),
                    ContainsSubstring("name:"));
  CHECK_THROWS_WITH(Experiment::read(Config::parse("name: ../up\nmodel: mlp\ndata: sphere", "e.yaml")),
                    ContainsSubstring("it names the output folder"));
  CHECK_THROWS_WITH(Experiment::read(Config::parse("name: e\nmodel: mlp", "e.yaml")),
                    ContainsSubstring("data: missing; known: cifar10"));
  CHECK_THROWS_WITH(Experiment::read(Config::parse("[1]", "e.yaml")),
                    ContainsSubstring("e.yaml:1:1: a description is a mapping"));
  CHECK_THROWS_WITH(Experiment::read(Config::parse("", "e.yaml")),
                    ContainsSubstring("a description is a mapping"));
}
