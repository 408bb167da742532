// Oracle: means, standard errors and ratios of the numbers in tests/report/runs.hpp, worked out by hand.
#include "plumb/report/aggregate.hpp"

#include <cmath>

#include "report/runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/error.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/series.hpp"
#include "plumb/report/wording.hpp"

using plumb::Estimate;
using plumb::Point;
using plumb::Results;
using plumb::test::TemporaryFolder;
using plumb::test::write_experiment;
using plumb::test::write_run;
using plumb::test::write_text;

TEST_CASE("a standard error is that of the mean, and of one value there is none", "[report][aggregate]") {
  const Estimate estimate = plumb::estimate({1, 2, 6});
  CHECK(estimate.mean == 3);
  CHECK(estimate.standard_error == Approx(std::sqrt(7.0 / 3)));  // squares 4 + 1 + 9; 14 / 2 / 3
  CHECK(std::isnan(plumb::estimate({5}).standard_error));
  CHECK(std::isnan(plumb::estimate({}).mean));
  CHECK_THROWS_AS(plumb::estimate({1, NAN}), plumb::ContractError);
}

TEST_CASE("time to fit, slowdown and final accuracy are those of the completed runs", "[report][aggregate]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const Results results = plumb::load_results(folder.path());
  const std::vector<Point> points = plumb::aggregate(results);
  REQUIRE(points.size() == 3);
  CHECK(points[0].steps_to_fit.mean == 200);            // 100 and 300
  CHECK(points[0].steps_to_fit.standard_error == 100);  // sqrt((100^2 + 100^2) / 1 / 2)
  CHECK(points[0].epochs_to_fit.mean == 1);
  CHECK(points[0].seconds_to_fit.mean == 6);  // 3 and 9
  CHECK(points[0].slowdown->mean == 1);
  CHECK(std::isnan(points[0].slowdown->standard_error));
  CHECK(points[0].last("test_accuracy").mean == Approx(0.7));
  CHECK(points[0].training_seconds().mean == 7.5);
  CHECK(points[1].steps_to_fit.mean == 500);  // 400 and 600
  CHECK(points[1].slowdown->mean == 2.5);
  CHECK(points[1].slowdown->standard_error == Approx(2.5 * std::sqrt(0.2 * 0.2 + 0.5 * 0.5)));
  CHECK(points[1].group.empty());
  CHECK(points[1].variant == "p = 0.5");
  CHECK(points[2].completed == 0);
  CHECK(points[2].partial());
  CHECK_FALSE(points[2].fits);
  CHECK(points[2].steps_to_fit.count == 0);
  CHECK_FALSE(points[2].slowdown.has_value());
  CHECK(points[2].last("test_accuracy").count == 0);
  CHECK(points[2].outcomes() == "1 diverged, 1 unfinished");
}

TEST_CASE("a time to fit is absent when one completed run did not get there", "[report][aggregate]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_run(folder.path(), {"b2",
                            "\"randomization\": \"p = 0.5\"",
                            "{type: corrupted_labels, probability: 0.5}",
                            2,
                            {0.1, 0.8999},
                            0.5,
                            "step_limit"});
  const Results results = plumb::load_results(folder.path());
  const std::vector<Point> points = plumb::aggregate(results);
  CHECK(points[1].fitted == 2);
  CHECK(points[1].completed == 3);
  CHECK(points[1].steps_to_fit.count == 0);
  CHECK_FALSE(points[1].slowdown.has_value());
}

TEST_CASE("slowdown compares runs of the same model only", "[report][aggregate]") {
  const TemporaryFolder folder;
  write_text(folder / "experiment.yaml", "report: {fit_accuracy: 0.9, fit_loss: 1.05}\n");
  const auto axes = [](const std::string& model, const std::string& labels) {
    return fmt::format("\"model\": \"{}\", \"labels\": \"{}\"", model, labels);
  };
  write_run(folder.path(), {"1", axes("a", "true"), "true_labels", 0, {0.1, 0.9}});
  write_run(folder.path(), {"2", axes("a", "random"), "random_labels", 0, {0.1, 0.2, 0.3, 1.0}});
  write_run(folder.path(), {"3", axes("b", "true"), "true_labels", 0, {0.1, 0.2, 0.95}});
  write_run(folder.path(), {"4", axes("b", "random"), "random_labels", 0, {0.1, 0.2, 0.2, 0.2, 1.0}});
  write_run(folder.path(), {"5", axes("b", "pixels"), "shuffled_pixels", 0, {0.1, 0.2, 0.2, 1.0}});
  const Results results = plumb::load_results(folder.path());
  const std::vector<Point> points = plumb::aggregate(results);
  CHECK(plumb::groups_of(points) == std::vector<std::string>{"a", "b"});
  for (const Point& point : points) {
    if (point.label == "a, random") CHECK(point.slowdown->mean == 3);
    if (point.label == "b, random") CHECK(point.slowdown->mean == 2);
    if (point.label == "b, random") CHECK(point.steps_to_loss.mean == 400);
    if (point.label == "a, true") CHECK(point.steps_to_loss.count == 0);  // 1.1 at best
    if (point.label == "b, pixels") CHECK_FALSE(point.slowdown.has_value());
  }
}

TEST_CASE("a series averages the steps that all runs have, and weighs rows by their steps",
          "[report][series]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const Results results = plumb::load_results(folder.path());
  const plumb::Series series =
      plumb::evaluation_series({&results.runs[0], &results.runs[1]}, "train_accuracy");
  CHECK(series.x == std::vector<double>{0, 100, 200});
  CHECK(series.mean[1] == Approx(0.725));
  CHECK(series.standard_error[1] == Approx(0.225));
  plumb::RecordedRun run;
  run.steps = plumb::Table::parse("step,loss\n10,4\n20,2\n25,1\n30,3\n40,8\n");
  run.evaluations = plumb::Table::parse("step,train_loss\n0,9\n40,0\n");
  const plumb::Series loss = plumb::loss_series({&run}, 2);
  CHECK(loss.x == std::vector<double>{0, 10, 30});
  CHECK(loss.mean == std::vector<double>{9, 3, 5});  // (4 + 2) / 2; (5 * 1 + 5 * 3 + 10 * 8) / 20
}

TEST_CASE("numbers are written with the digits their error supports", "[report][wording]") {
  CHECK(plumb::number_text({}) == "–");
  CHECK(plumb::number_text({1, 5400, NAN}) == "5400");
  CHECK(plumb::number_text({3, 5400.4, 23.4}) == "5400 ± 23");
  CHECK(plumb::number_text({3, 2.7534, 0.098}) == "2.75 ± 0.10");
  CHECK(plumb::percent_text({1, 0.99996, NAN}) == "99.99");
  CHECK(plumb::percent_text({1, 1.0, NAN}) == "100.00");
  CHECK(plumb::percent_text({3, 0.5, 0.021}) == "50.0 ± 2.1");
}

TEST_CASE("findings state only what was measured and name what is left out", "[report][findings]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const Results results = plumb::load_results(folder.path());
  const std::vector<std::string> sentences = plumb::findings(results, plumb::aggregate(results));
  REQUIRE(sentences.size() == 3);
  CHECK(sentences[0] == "2 of 2 points reached 90 % training accuracy in every completed run.");
  CHECK(sentences[1] ==
        "From p = 0 to p = 0.5, the time to fit grew 2.5 ± 1.3 times (from 200 ± 100 to 500 ± 100 "
        "steps) and the test error went from 30 ± 10 % to 55.0 ± 5.0 %.");
  CHECK(sentences[2] == "Left out of every mean: 1 diverged, 1 unfinished.");
}

TEST_CASE("the summary table is aligned and fits 100 columns whatever the labels", "[report][findings]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_run(folder.path(), {"d",
                            "\"randomization\": \"" + std::string(200, 'x') + "\\u001b[31m\"",
                            "true_labels",
                            0,
                            {0.1, 0.95}});
  const std::string table = plumb::summary_table(plumb::load_results(folder.path()));
  CHECK_THAT(table, ContainsSubstring("p = 0.5"));
  CHECK_THAT(table, ContainsSubstring("0/2"));
  CHECK_THAT(table, ContainsSubstring("1 diverged, 1 unfi"));
  CHECK_THAT(table, ContainsSubstring("…"));
  CHECK(table.find('\x1b') == std::string::npos);
  size_t width = 0;
  for (const char c : table) {
    width = c == '\n' ? 0 : width + ((static_cast<unsigned char>(c) & 0xc0) != 0x80);
    REQUIRE(width <= 100);
  }
}
