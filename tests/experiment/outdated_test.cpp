// Oracle: what version 0.1 meant by its words, written in today's.
#include "plumb/experiment/outdated.hpp"

#include "support/catch.hpp"

#include "plumb/experiment/experiment.hpp"

using namespace plumb;

namespace {

Experiment with_training(const std::string& training, const std::string& more = "") {
  return Experiment::read(Config::parse(
      "name: e\ndata: sphere\nmodel: mlp\ntraining: {optimizer: adam, " + training + "}\n" + more, "e.yaml"));
}

std::string schedule_of(const Experiment& experiment) {
  return experiment.runs[0].run.description().find("training")->find("schedule")->to_line();
}

}  // namespace

TEST_CASE("schedules in the words of version 0.1 are read, and the new words are told",
          "[experiment][outdated]") {
  const std::vector<std::pair<std::string, std::string>> words{
      {"exponential", "type: step, step_size: 1, gamma: 0.95"},
      {"{type: exponential, factor: 0.5, every: 10}", "type: step, step_size: 10, gamma: 0.5"},
      {"{type: exponential, every: 3}", "type: step, step_size: 3, gamma: 0.95"},
      {"step", "type: multi_step, milestones: [150, 225], gamma: 0.1"},
      {"{type: step, epochs: [2, 4], factor: 0.2}", "type: multi_step, milestones: [2, 4], gamma: 0.2"}};
  for (const auto& [old, now] : words) {
    INFO(old);
    const Experiment experiment = with_training("schedule: " + old);
    CHECK(schedule_of(experiment) == now);
    REQUIRE(experiment.notes.size() == 1);
    CHECK_THAT(experiment.notes[0], ContainsSubstring("e.yaml:4:"));
    CHECK_THAT(experiment.notes[0], ContainsSubstring("training.schedule:"));
    CHECK_THAT(experiment.notes[0], ContainsSubstring("write {" + now + "}"));
  }
}

TEST_CASE("today's words are not touched", "[experiment][outdated]") {
  for (const std::string now :
       {"type: step, step_size: 2, gamma: 0.1", "type: exponential, gamma: 0.9",
        "type: multi_step, milestones: [3], gamma: 0.1", "type: cosine, final: 0.5"}) {
    const Experiment experiment = with_training("schedule: {" + now + "}");
    CHECK(schedule_of(experiment) == now);
    CHECK(experiment.notes.empty());
  }
  CHECK_THROWS_WITH(with_training("schedule: {type: step, step_size: 2, factor: 3}"),
                    ContainsSubstring("factor: unknown key"));
}

TEST_CASE("a sweep over an old word is told of once", "[experiment][outdated]") {
  const Experiment experiment =
      with_training("schedule: {type: exponential, factor: 0.5}", "sweep: {seed: [0, 1, 2]}\n");
  CHECK(experiment.runs.size() == 3);
  CHECK(experiment.notes.size() == 1);
}

TEST_CASE("a default that was another one is told of where it is relied on", "[experiment][outdated]") {
  const auto notes = [](const std::string& optimizer) {
    return Experiment::read(Config::parse("name: e\ndata: sphere\nmodel: mlp\n" + optimizer, "e.yaml")).notes;
  };
  CHECK(notes("training: {optimizer: {type: sgd, learning_rate: 0.1, momentum: 0}}\n").empty());
  CHECK(notes("training: {optimizer: adam}\n").empty());
  const auto without_momentum = notes("training: {optimizer: {type: sgd, learning_rate: 0.1}}\n");
  REQUIRE(without_momentum.size() == 1);
  CHECK_THAT(without_momentum[0], ContainsSubstring("momentum 0 (it was 0.9); write down what you want"));
  REQUIRE(notes("training: {optimizer: sgd}\n").size() == 1);
  CHECK_THAT(notes("")[0], ContainsSubstring("learning_rate 0.001 (it was 0.1), momentum 0 (it was 0.9)"));
}
