// Which runs are one point, which are compared, and what is folded away. Oracle: the descriptions that were
// run, told apart by hand.
#include "report/planned_runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/report/aggregate.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/report.hpp"

using namespace plumb;
using test::sphere_experiment;
using test::TemporaryFolder;
using test::write_planned;
using test::write_text;

namespace {

const Point* point_named(const std::vector<Point>& points, const std::string& label) {
  for (const Point& point : points)
    if (point.label == label) return &point;
  return nullptr;
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, "\n"));
}

}  // namespace

TEST_CASE("runs of one name and seed whose descriptions differ are two points", "[report][grouping]") {
  const TemporaryFolder folder;
  write_planned(folder.path(), sphere_experiment, {}, 0.25);
  write_planned(folder.path(), sphere_experiment, {"training.optimizer.learning_rate=0.01"}, 0.75);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = aggregate(results);
  REQUIRE(points.size() == 2);
  const Point* today = point_named(points, "learning_rate 0.01");
  const Point* before = point_named(points, "learning_rate 0.1");
  REQUIRE(today != nullptr);
  REQUIRE(before != nullptr);
  CHECK(today->planned);
  CHECK_FALSE(before->planned);
  CHECK(today->last("train_accuracy").mean == 0.75);
  CHECK(today->last("train_accuracy").count == 1);
  CHECK(before->last("train_accuracy").mean == 0.25);
  const std::string table = summary_table(results);
  CHECK(table.find("2/2") == std::string::npos);
  CHECK(table.find("learning_rate 0.01") < table.find("other runs in this folder"));
  CHECK(table.find("other runs in this folder") < table.find("learning_rate 0.1 "));
}

TEST_CASE("experiments of one name stay apart and are not compared, and raised limits make no other run",
          "[report][grouping]") {
  const TemporaryFolder folder;
  const std::string yaml =
      sphere_experiment + "seeds: [0, 1]\nsweep: {training.optimizer.learning_rate: [0.01, 0.05]}\n";
  write_planned(folder.path(), yaml, {}, 0.25);
  write_planned(folder.path(), yaml, {"training.stop.epochs=6"}, 0.5);
  write_planned(folder.path(), yaml, {"model.width=9", "randomization=random_labels"}, 0.75);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = aggregate(results);
  // Raised limits go on in the same folders, where these runs have ended already.
  CHECK(points.size() == 4);
  for (const Point& point : points) {
    INFO(point.label);
    CHECK(point.runs.size() == 2);
  }
  REQUIRE(planned_points(points).size() == 2);
  CHECK(points[0].label == "0.01");
  CHECK(points[0].last("train_accuracy").mean == 0.75);
  CHECK_THAT(joined(findings(results, planned_points(points))), !ContainsSubstring("p ="));
  CHECK_THAT(joined(findings(results, points)), !ContainsSubstring("p ="));
  const Point* first = point_named(points, "width 8, randomization true_labels, learning_rate 0.01");
  REQUIRE(first != nullptr);
  CHECK(first->last("train_accuracy").mean == 0.25);
}

TEST_CASE("points are compared only when they differ in corruption alone", "[report][grouping]") {
  const TemporaryFolder folder;
  // As two learning rates under one name would: p rises along the axis, and so does the rate.
  write_planned(folder.path(),
                sphere_experiment +
                    "sweep:\n  setting:\n"
                    "    slow: {randomization: {type: corrupted_labels, probability: 0.2}}\n"
                    "    fast: {randomization: random_labels, training.optimizer.learning_rate: 1}\n",
                {}, 0.5);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = aggregate(results);
  REQUIRE(points.size() == 2);
  CHECK(points[0].group != points[1].group);
  CHECK_THAT(joined(findings(results, points)), !ContainsSubstring("p = 0.2"));
}

TEST_CASE("redrawing from all classes and from the others are two kinds of corruption",
          "[report][grouping]") {
  const TemporaryFolder folder;
  write_planned(folder.path(),
                sphere_experiment +
                    "sweep:\n  randomization:\n"
                    "    - true_labels\n"
                    "    - {type: corrupted_labels, probability: 0.5, replacement: different}\n"
                    "    - random_labels\n",
                {}, 0.5);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = aggregate(results);
  REQUIRE(points.size() == 3);
  // Two kinds: which of them the clean labels begin is not known, so they stand with the usual one.
  CHECK(points[0].group == points[2].group);
  CHECK(points[1].group != points[2].group);
}

TEST_CASE("what today's description does not mean is folded away, and its description kept",
          "[report][grouping]") {
  const TemporaryFolder folder;
  const auto sweep = [](const std::string& rates) {
    return sphere_experiment + "sweep: {training.optimizer.learning_rate: [" + rates + "]}\n";
  };
  write_planned(folder.path(), sweep("0.01, 0.05"), {}, 0.25);
  write_planned(folder.path(), sweep("0.02"), {}, 0.75);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = planned_points(aggregate(results));
  REQUIRE(points.size() == 1);
  CHECK(points[0].label == "0.02");
  const std::string page = read_file(write_report(results));
  const size_t fold = page.find("<details><summary>Other runs in this folder (2 points)</summary>");
  REQUIRE(fold != std::string::npos);
  CHECK(page.find("learning_rate 0.05") > fold);
  CHECK_THAT(read_file(folder / "experiment.1.yaml"), ContainsSubstring("[0.01, 0.05]"));
  // The same description again is no third one.
  write_planned(folder.path(), sweep("0.01, 0.05"), {}, 0.25);
  write_planned(folder.path(), sweep("0.02"), {}, 0.75);
  CHECK(std::filesystem::exists(folder / "experiment.2.yaml"));
  CHECK_FALSE(std::filesystem::exists(folder / "experiment.3.yaml"));
}

TEST_CASE("a seed counts once, in however many folders it lies", "[report][grouping]") {
  const TemporaryFolder folder;
  const auto names = write_planned(folder.path(), sphere_experiment + "seeds: [0, 1]\n", {}, 0.5);
  std::filesystem::copy(folder / names[0], folder / "a copy", std::filesystem::copy_options::recursive);
  // The loss of batches written down more often: the same path.
  write_planned(folder.path(), sphere_experiment + "seeds: [0, 1]\n", {"training.record_every=7"}, 0.5);
  const Results results = load_results(folder.path());
  const std::vector<Point> points = aggregate(results);
  REQUIRE(points.size() == 1);
  CHECK(points[0].runs.size() == 2);
  REQUIRE(results.skipped.size() == 3);
  for (const auto& skipped : results.skipped)
    CHECK_THAT(skipped.reason, ContainsSubstring("equal description and seed; counted once"));
}

TEST_CASE("a description that was changed after the run is noticed", "[report][grouping]") {
  const bool recorded = GENERATE(true, false);
  CAPTURE(recorded);
  const TemporaryFolder folder;
  const auto names = write_planned(folder.path(), sphere_experiment, {}, 0.5, recorded);
  std::string text = read_file(folder / names[0] / "run.yaml");
  const size_t rate = text.find("learning_rate: 0.1");
  REQUIRE(rate != std::string::npos);
  write_text(folder / names[0] / "run.yaml", text.replace(rate, 18, "learning_rate: 0.7"));
  const Results results = load_results(folder.path());
  if (recorded) {
    REQUIRE(results.runs.size() == 1);
    CHECK(results.runs[0].setting("training.optimizer.learning_rate") == "0.1");
    CHECK_THAT(joined(complaints(results)), ContainsSubstring("run.yaml was changed after the run"));
    const std::string page = read_file(write_report(results));
    CHECK_THAT(page, ContainsSubstring("run.yaml was changed after the run"));
    CHECK(page.find("0.7</td>") == std::string::npos);
    CHECK_THAT(summary_table(results), ContainsSubstring("The run.yaml of 1 run was changed afterwards"));
  } else {
    CHECK(results.runs.empty());
    REQUIRE(results.skipped.size() == 1);
    CHECK_THAT(results.skipped[0].reason, ContainsSubstring("run.yaml: is no longer what was run"));
  }
}

TEST_CASE("every run counts where the description cannot be expanded, and the page says why",
          "[report][grouping]") {
  const TemporaryFolder folder;
  write_planned(folder.path(), sphere_experiment, {}, 0.5);
  write_text(folder / "experiment.yaml", "name: e\nmodel: of_another_program\ndata: sphere\n");
  const Results results = load_results(folder.path());
  CHECK(planned_points(aggregate(results)).size() == 1);
  CHECK_THAT(read_file(write_report(results)),
             ContainsSubstring("&#39;of_another_program&#39; is not allowed"));
}

TEST_CASE("runs of the description without a folder are counted as missing", "[report][grouping]") {
  const TemporaryFolder folder;
  const auto names = write_planned(folder.path(), sphere_experiment + "seeds: [0, 1, 2]\n", {}, 0.5);
  std::filesystem::remove_all(folder / names[1]);
  const Results results = load_results(folder.path());
  CHECK(results.missing == 1);
  CHECK_THAT(summary_table(results), ContainsSubstring("Left out of every mean: 1 without a folder."));
}
