// Oracle: the run that had the higher limits from its start, compared byte for byte.
#include "experiment/small_run.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/experiment/ending.hpp"

using namespace plumb;
using test::small_run;

namespace {

const std::string every_kind_of_probe =
    "probes:\n"
    "  - {type: parameter_distance, every: 5}\n"
    "  - {type: gradient, at: [2, 4]}\n"
    "  - {type: tangent_kernel, examples: 4, every: 6}\n"
    "  - {type: linearized_model, examples: 4, at: doubling}\n";

}  // namespace

TEST_CASE("a finished run goes on when its limits are raised, to the bytes of one that was long at once",
          "[experiment][limits][resume]") {
  // The end falls on an evaluation, between two, into the middle of an epoch; or a target was reached.
  const std::string stop =
      GENERATE(as<std::string>{}, "{epochs: 2}", "{epochs: 3}", "{steps: 7, epochs: none}",
               "{epochs: 50, train_accuracy: 0.3}", "{epochs: 50, train_loss: 100}");
  INFO(stop);
  const std::string more = every_kind_of_probe;
  const auto described = [&](const std::string& limits) {
    Run run = small_run(more, limits);
    run.training.evaluate_every = 2;
    return run;
  };
  const test::TemporaryFolder whole, longer;
  REQUIRE(execute(described("{epochs: 6}"), RunDirectory(whole.path()), {}) == Outcome::epoch_limit);
  const RunDirectory directory(longer.path());
  const Outcome first = execute(described(stop), directory, {});
  CHECK(first != Outcome::diverged);
  const std::string ended = read_file(directory.outcome());
  CHECK(execute(described(stop), directory, {}) == first);  // nothing to add
  CHECK(read_file(directory.outcome()) == ended);
  CHECK(execute(described("{epochs: 6}"), directory, {}) == Outcome::epoch_limit);
  test::check_same_files(whole.path(), longer.path());
}

TEST_CASE("limits are raised more than once, and a run that goes on may be interrupted",
          "[experiment][limits][resume]") {
  const test::TemporaryFolder whole, parts;
  const RunDirectory directory(parts.path());
  REQUIRE(execute(small_run(every_kind_of_probe), RunDirectory(whole.path()), {}) == Outcome::epoch_limit);
  execute(small_run(every_kind_of_probe, "{steps: 3, epochs: none}"), directory, {});
  execute(small_run(every_kind_of_probe, "{epochs: 2}"), directory, {});
  test::StopAtReport stopper(2);
  CHECK(execute(small_run(every_kind_of_probe), directory, stopper.options) == Outcome::interrupted);
  CHECK(directory.resumable());
  CHECK(execute(small_run(every_kind_of_probe), directory, {}) == Outcome::epoch_limit);
  test::check_same_files(whole.path(), parts.path());
}

TEST_CASE("a run is not shortened by lower limits, and knows that it went farther", "[experiment][limits]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  CHECK(execute(small_run(), directory, {}) == Outcome::epoch_limit);
  const auto before = test::lasting_files(folder.path());
  CHECK(execute(small_run("", "{epochs: 3}"), directory, {}) == Outcome::epoch_limit);
  CHECK(test::lasting_files(folder.path()) == before);
  const std::optional<Ending> ending = Ending::read(directory);
  REQUIRE(ending);
  CHECK(ending->step == 24);
  CHECK(ending->beyond({.epochs = 3}));
  CHECK_FALSE(ending->beyond({.epochs = 6}));
  CHECK_FALSE(ending->beyond({.steps = 24}));
  CHECK(ending->goes_on({.epochs = 7}));
  CHECK_FALSE(ending->goes_on({.train_accuracy = 0.01, .epochs = 7}));
}

TEST_CASE("limits and targets are no part of a run's course, unless its schedule needs an end",
          "[experiment][limits]") {
  const std::string same = small_run().fingerprint();
  CHECK(small_run("", "{epochs: 7}").fingerprint() == same);
  CHECK(small_run("", "{epochs: none, steps: 9, seconds: 5}").fingerprint() == same);
  CHECK(small_run("", "{epochs: 6, train_accuracy: 0.5}").fingerprint() == same);
  CHECK(small_run("seed: 1\n").fingerprint() != same);
  const auto cosine = [](const std::string& stop) {
    Run run = small_run("", stop);
    run.training.schedule.select("cosine");
    return run.fingerprint();
  };
  CHECK(cosine("{epochs: 6}") != cosine("{epochs: 7}"));
  CHECK(cosine("{epochs: 6}") != cosine("{epochs: 6, steps: 20}"));
  CHECK(cosine("{epochs: 6}") == cosine("{epochs: 6, train_accuracy: 0.5}"));
}

TEST_CASE("a finished run without a checkpoint cannot go on, and says so", "[experiment][limits]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  execute(small_run("", "{epochs: 2}"), directory, {});
  std::filesystem::remove(directory.checkpoint());
  CHECK_THROWS_WITH(execute(small_run(), directory, {}),
                    ContainsSubstring("has no checkpoint to go on from; remove the folder"));
  CHECK(execute(small_run("", "{epochs: 2}"), directory, {}) == Outcome::epoch_limit);
}

TEST_CASE("the fingerprint of version 0.1 is computed as it was", "[experiment][limits]") {
  // A run.yaml of that version, from a folder called mlp-seed0-82b33294.
  const Config description = Config::load(std::string(PLUMB_FIXTURES) + "/run_0_1.yaml");
  CHECK(fingerprint_0_1(description) == "82b33294");
  CHECK(Run::read(description).training.schedule.type() == "step");
}
