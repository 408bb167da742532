// Oracle: run folders whose content is written out in tests/report/runs.hpp.
#include "plumb/report/results.hpp"

#include "report/runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/error.hpp"

using plumb::load_results;
using plumb::Results;
using plumb::test::TemporaryFolder;
using plumb::test::write_experiment;
using plumb::test::write_run;
using plumb::test::write_text;

TEST_CASE("an experiment's runs are read with their settings, axes and endings", "[report][results]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const Results results = load_results(folder.path());
  CHECK(results.name == "corruption");
  CHECK(results.question == "What does it cost?");
  CHECK(results.options.fit_accuracy == 0.9);
  CHECK(results.skipped.empty());
  REQUIRE(results.runs.size() == 6);
  const plumb::RecordedRun& run = results.runs[2];
  CHECK(run.id == "b0");
  CHECK(run.axes == plumb::TextPairs{{"randomization", "p = 0.5"}});
  CHECK(run.setting("model") == "mlp");
  CHECK(run.setting("model.type") == "mlp");
  CHECK(run.setting("model.width").empty());
  CHECK(run.recorded("commit") == "abc");
  CHECK(run.recorded("threads") == "2");
  CHECK(run.completed());
  CHECK(run.ending->training_seconds == 7.5);
  CHECK(run.last("train_accuracy") == 0.99);
  CHECK_FALSE(run.last("memorization").has_value());
  CHECK(results.runs[0].corruption == 0.0);
  CHECK(run.corruption == 0.5);
  CHECK(results.runs[4].corruption == 1.0);
  CHECK(results.runs[4].outcome() == "diverged");
  CHECK_FALSE(results.runs[4].completed());
  CHECK(results.runs[5].outcome() == "unfinished");
  CHECK_FALSE(results.runs[5].completed());
}

TEST_CASE("damaged and foreign folders are skipped with a reason", "[report][results]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_text(folder / "a0/evaluations.csv", "step,train_accuracy\n0,0.1\n100\n");
  write_text(folder / "a1/provenance.json", "{");
  write_text(folder / "b0/outcome.json", "[]");
  std::filesystem::remove(folder / "b1/evaluations.csv");
  write_text(folder / "notes/todo.txt", "x");
  const Results results = load_results(folder.path());
  REQUIRE(results.skipped.size() == 5);
  CHECK(results.skipped[0].folder == "a0");
  CHECK(results.skipped[0].reason == "evaluations.csv:3: holds 1 field; the header names 2");
  CHECK_THAT(results.skipped[1].reason, ContainsSubstring("provenance.json: is no JSON"));
  CHECK(results.skipped[2].reason == "outcome.json: is no JSON object");
  CHECK(results.skipped[3].reason == "evaluations.csv: is missing in a finished run");
  CHECK(results.skipped[4].reason == "has no run.yaml; it is no run");
  CHECK(results.runs.size() == 2);
}

TEST_CASE("only an unfinished run may end in the middle of a line", "[report][results]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const std::string broken = "step,train_accuracy\n0,0.1\n100,0";
  write_text(folder / "c1/evaluations.csv", broken);
  const Results results = load_results(folder.path());
  CHECK(results.runs[5].evaluations.rows.size() == 1);
}

TEST_CASE("points follow the sweep, and numbers in labels count as numbers", "[report][results]") {
  CHECK(plumb::natural_less("p = 0.5", "p = 0.75"));
  CHECK(plumb::natural_less("width 64", "width 128"));
  CHECK_FALSE(plumb::natural_less("width 128", "width 64"));
  CHECK(plumb::natural_less("a", "ab"));
  const TemporaryFolder folder;
  write_text(folder / "experiment.yaml", "note: ape\nsweep: {m: [zebra, ape]}\n");
  write_run(folder.path(), {"x", "\"m\": \"ape\"", "true_labels", 0, {0.1}});
  write_run(folder.path(), {"y", "\"m\": \"zebra\"", "true_labels", 10, {0.1}});
  write_run(folder.path(), {"z", "\"m\": \"zebra\"", "true_labels", 9, {0.1}});
  const Results results = load_results(folder.path());
  CHECK(results.runs[0].id == "z");
  CHECK(results.runs[1].id == "y");
  CHECK(results.runs[2].id == "x");
}

TEST_CASE("a folder without a description is refused", "[report][results]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load_results(folder.path()), plumb::DataError);
  write_text(folder / "experiment.yaml", "report: {fit_acuracy: 0.9}\n");
  CHECK_THROWS_WITH(load_results(folder.path()), ContainsSubstring("did you mean 'fit_accuracy'?"));
}
