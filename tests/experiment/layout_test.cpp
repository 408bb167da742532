// Oracle: which folders exist, and what was asked for.
#include "plumb/experiment/layout.hpp"

#include "experiment/small_run.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

using State = LaidOutRun::State;

Experiment experiment_of(const std::string& stop, const std::string& more = "") {
  return Experiment::read(Config::parse(
      "name: e\ndata: {type: sphere, train_examples: 20, dimension: 4}\npreprocessing: {normalize: none}\n"
      "model: {type: mlp, width: 4, depth: 1}\n"
      "training: {optimizer: {type: sgd, learning_rate: 0.1, momentum: 0}, batch_size: 10, stop: " +
          stop + more,
      "e.yaml"));
}

/// Lays an experiment out and trains what is to be done.
Layout train_all(const Experiment& experiment, const std::filesystem::path& folder) {
  Layout layout = lay_out(experiment, folder);
  for (const LaidOutRun& run : layout.runs)
    if (run.state == State::to_do)
      execute(Run::read(Config::load(run.directory.description())), run.directory, {});
  return layout;
}

/// "to_do done": the states of the runs, in their order.
std::string states_of(const Layout& layout) {
  std::string all;
  for (const LaidOutRun& run : layout.runs) {
    const char* state = run.state == State::to_do ? "to_do" : run.state == State::done ? "done" : "refused";
    all += (all.empty() ? "" : " ") + std::string(state);
  }
  return all;
}

size_t folders_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("raised limits go on in the folder that is there, lower ones leave it and say so",
          "[experiment][layout]") {
  const test::TemporaryFolder folder;
  CHECK(states_of(train_all(experiment_of("{epochs: 2}}\n"), folder.path())) == "to_do");
  CHECK(states_of(lay_out(experiment_of("{epochs: 2}}\n"), folder.path())) == "done");
  const Layout longer = train_all(experiment_of("{epochs: 3}}\n"), folder.path());
  CHECK(states_of(longer) == "to_do");
  REQUIRE(longer.notes.size() == 1);
  CHECK_THAT(longer.notes[0], ContainsSubstring("ended (epoch_limit) and go on to the limits asked for now"));
  const Layout shorter = lay_out(experiment_of("{epochs: 2}}\n"), folder.path());
  CHECK(states_of(shorter) == "done");
  REQUIRE(shorter.notes.size() == 1);
  CHECK_THAT(shorter.notes[0], ContainsSubstring("went farther than asked for now"));
  CHECK(folders_in(folder.path()) == 1);
}

TEST_CASE("with a schedule that needs an end, other limits are another run, and that is said",
          "[experiment][layout]") {
  const test::TemporaryFolder folder;
  train_all(experiment_of("{epochs: 2}, schedule: cosine}\n"), folder.path());
  const Layout longer = lay_out(experiment_of("{epochs: 3}, schedule: cosine}\n"), folder.path());
  CHECK(states_of(longer) == "to_do");
  CHECK(folders_in(folder.path()) == 2);
  REQUIRE(longer.notes.size() == 1);
  CHECK_THAT(longer.notes[0],
             ContainsSubstring("begin at step 0") && ContainsSubstring("'cosine' runs over"));
}

TEST_CASE("runs that differ in their limits alone are two runs of a sweep", "[experiment][layout]") {
  const test::TemporaryFolder folder;
  const std::string sweep = "sweep: {training.stop.epochs: [1, 2]}\n";
  const Layout layout = train_all(experiment_of("{epochs: 9}}\n", sweep), folder.path());
  CHECK(states_of(layout) == "to_do to_do");
  CHECK(layout.runs[0].directory.path != layout.runs[1].directory.path);
  CHECK(states_of(lay_out(experiment_of("{epochs: 9}}\n", sweep), folder.path())) == "done done");
  CHECK_THROWS_WITH(experiment_of("{epochs: 9}}\n", "sweep: {training.stop.epochs: [1, 1]}\n"),
                    ContainsSubstring("two runs are the same"));
}

TEST_CASE("a run that is there under another name is not trained again", "[experiment][layout]") {
  const test::TemporaryFolder folder;
  const std::string sweep = "sweep: {training.optimizer.learning_rate: [0.1, 0.05]}\n";
  const Layout swept = train_all(experiment_of("{epochs: 1}}\n", sweep), folder.path());
  const Layout alone = lay_out(experiment_of("{epochs: 1}}\n"), folder.path());
  CHECK(states_of(alone) == "done");
  CHECK(alone.runs[0].directory.path == swept.runs[0].directory.path);
  CHECK(folders_in(folder.path()) == 2);
}

TEST_CASE("an edited description costs its run, not the others", "[experiment][layout]") {
  const test::TemporaryFolder folder;
  const Experiment experiment = experiment_of("{epochs: 1}}\n", "seeds: [0, 1]\n");
  const Layout layout = train_all(experiment, folder.path());
  const std::filesystem::path file = layout.runs[0].directory.description();
  std::string text = read_file(file);
  write_file_atomically(file, text.replace(text.find("width: 4"), 8, "width: 5"));
  const Layout again = lay_out(experiment, folder.path());
  CHECK(states_of(again) == "refused done");
  CHECK_THAT(again.runs[0].refusal, ContainsSubstring("run.yaml: was changed after the run had begun"));
  CHECK_THAT(again.runs[0].refusal, ContainsSubstring("model.width: 4 then, 5 now"));
}

TEST_CASE("a folder that cannot be read is left alone", "[experiment][layout]") {
  const test::TemporaryFolder folder;
  make_directory(folder / "odd");
  write_file_atomically(folder / "odd" / "run.yaml", "{{{");
  CHECK(states_of(lay_out(experiment_of("{epochs: 1}}\n"), folder.path())) == "to_do");
}

TEST_CASE("a run begun with other probes keeps them", "[experiment][layout]") {
  const test::TemporaryFolder folder;
  train_all(experiment_of("{epochs: 1}}\n", "probes: [gradient]\n"), folder.path());
  const Layout longer = train_all(experiment_of("{epochs: 2}}\n"), folder.path());
  REQUIRE(longer.notes.size() == 2);
  CHECK_THAT(longer.notes[0], ContainsSubstring("begun with other probes than asked for keep them"));
  CHECK(longer.runs[0].planned.run.probes.size() == 1);
  CHECK(std::filesystem::exists(longer.runs[0].directory.probes() / "gradient.csv"));
}
