// Oracle: tables written by hand and the means and sentences they amount to.
#include <cmath>

#include "report/runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/report/geometry_figures.hpp"
#include "plumb/report/report.hpp"

using namespace plumb;
using test::TemporaryFolder;
using test::write_experiment;
using test::write_text;

namespace {

const Figure* figure_named(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& figure : figures)
    if (figure.name == name) return &figure;
  return nullptr;
}

/// Tables for the two seeds at p = 0 and the first one at p = 0.5.
void write_probes(const std::filesystem::path& folder) {
  write_text(folder / "a0/probes/tangent_kernel.csv",
             "step,epoch,relative_drift,lambda_min\n0,0,0,0.5\n1,0.1,0.25,0.25\n8,0.8,0.5,0\n");
  write_text(folder / "a1/probes/tangent_kernel.csv",
             "step,epoch,relative_drift,lambda_min\n0,0,0,1.5\n1,0.1,0.75,0.75\n16,1.6,0.7,0.5\n");
  write_text(folder / "b0/probes/tangent_kernel.csv",
             "step,epoch,relative_drift,lambda_min\n0,0,0,1\n1,0.1,2,nan\n4,0.4,nan,nan\n");
  write_text(folder / "a0/probes/jacobian_rank.csv",
             "step,epoch,rank,full_rank,resolved\n0,0,40,40,1\n1,0.1,39,40,0\n8,0.8,40,40,1\n");
  write_text(folder / "a0/outcome.json",
             R"({"outcome": "train_accuracy_reached", "training_seconds": 50, "probe_seconds": 2})");
}

}  // namespace

TEST_CASE("probes are drawn as means over the steps that all seeds have", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_probes(folder.path());
  const Results results = load_results(folder.path());
  const auto figures = geometry_figures(aggregate(results));
  const Figure* drift = figure_named(figures, "geometry_tangent_kernel_relative_drift");
  REQUIRE(drift != nullptr);
  REQUIRE(drift->curves.size() == 2);
  CHECK(drift->curves[0].x == std::vector<double>{1, 2});  // steps 0 and 1; only one seed has 8 and 16
  CHECK(drift->curves[0].y == std::vector<double>{0, 0.5});
  CHECK(drift->curves[0].error[1] == Approx(0.25));
  CHECK(drift->curves[1].x == std::vector<double>{1, 2});  // the NaN is left out
  CHECK(drift->x.logarithmic);
  CHECK_FALSE(drift->y.logarithmic);
  const Figure* smallest = figure_named(figures, "geometry_tangent_kernel_lambda_min");
  REQUIRE(smallest != nullptr);
  CHECK(smallest->y.logarithmic);
  CHECK_THAT(smallest->caption, ContainsSubstring("4 λ_min"));
  CHECK(figure_named(figures, "geometry_jacobian_rank_rank") != nullptr);
  CHECK(figure_named(figures, "geometry_gradient_pl_ratio") == nullptr);
}

TEST_CASE("a probe with a name of its own is drawn as what it is", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  const std::string yaml =
      "name: e\nseed: 0\nmodel: {type: mlp}\nrandomization: true_labels\nprobes:\n  - {type: gradient, name: "
      "G.2}\n";
  write_text(folder / "a0/run.yaml", yaml);
  write_text(folder / "a0/probes/G.2.csv", "step,epoch,pl_ratio,pl_infimum\n0,0,3,3\n5,1,2,2\n");
  const Results results = load_results(folder.path());
  REQUIRE(results.runs[0].probe("G.2") != nullptr);
  CHECK(results.runs[0].probe("G.2")->type == "gradient");
  const auto figures = geometry_figures(aggregate(results));
  const Figure* figure = figure_named(figures, "geometry_g_2_pl_ratio");
  REQUIRE(figure != nullptr);
  CHECK(figure->title == "PL ratio (G.2)");
  CHECK(geometry_findings(aggregate(results)) ==
        std::vector<std::string>{"Smallest PL ratio ‖∇L‖² / (L − L*) recorded: 2 (p = 0)."});
}

TEST_CASE("what probes found is said with its numbers", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_probes(folder.path());
  const Results results = load_results(folder.path());
  const auto sentences = geometry_findings(aggregate(results));
  REQUIRE(sentences.size() == 2);
  CHECK(sentences[0] ==
        "The Jacobian on the probe set had full rank at 2 of 3 recorded states; at 1 its rank is not "
        "resolved.");
  // (0.5 + 0.7) / 2 with the standard error 0.1 of two seeds; the last finite value where the row is NaN.
  CHECK(sentences[1] ==
        "At the end the tangent kernel on the probe set had moved by this part of its norm: 0.60 ± 0.10 (p = "
        "0), "
        "2 (p = 0.5).");
  CHECK(probe_cost_sentence(aggregate(results)) == "Measuring took 2 s beside 50 s of training (4 %).");
}

TEST_CASE("a rank is full where its lower bound is, and states without a finite Jacobian are counted",
          "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_text(folder / "a0/probes/jacobian_rank.csv",
             "step,epoch,rank,at_least,at_most,full_rank,resolved\n0,0,38,40,40,40,1\n1,0.1,40,38,40,40,0\n"
             "8,0.8,nan,nan,nan,nan,nan\n");
  const auto points = load_results(folder.path());
  CHECK(
      geometry_findings(aggregate(points)) ==
      std::vector<std::string>{"The Jacobian on the probe set had full rank at 1 of 3 recorded states; at 1 "
                               "its rank is not resolved; at 1 it was not finite."});
  const auto figures = geometry_figures(aggregate(points));
  const Figure* rank = figure_named(figures, "geometry_jacobian_rank_at_least");
  REQUIRE(rank != nullptr);
  CHECK(rank->curves[0].y == std::vector<double>{40, 38});
  CHECK(figure_named(figures, "geometry_jacobian_rank_rank") == nullptr);
}

TEST_CASE("the page has a section for what probes recorded, and only then", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  CHECK(read_file(write_report(folder.path())).find("Geometry while training") == std::string::npos);
  write_probes(folder.path());
  const std::string page = read_file(write_report(folder.path()));
  CHECK_THAT(page, ContainsSubstring("Geometry while training"));
  CHECK_THAT(page, ContainsSubstring("Drift of the tangent kernel"));
  CHECK(std::filesystem::exists(folder / "figures/geometry_tangent_kernel_lambda_min.svg"));
}

TEST_CASE("a damaged table of a probe skips its run with the reason", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_text(folder / "a0/probes/gradient.csv", "step,epoch,loss\n0,0\n");
  write_text(folder / "c1/probes/gradient.csv", "");  // unfinished: killed before the header was on the disk
  const Results results = load_results(folder.path());
  REQUIRE(results.skipped.size() == 1);
  CHECK(results.skipped[0].reason == "probes/gradient.csv:2: holds 2 fields; the header names 3");
}

TEST_CASE("remarks beside a probe's table stand on the page", "[report][geometry]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_probes(folder.path());
  write_text(folder / "a0/probes/tangent_kernel.txt", "from step 0 on: slope (prelu) went by rows\n");
  write_text(folder / "a1/probes/tangent_kernel.txt", "from step 0 on: slope (prelu) went by rows\n");
  CHECK_THAT(read_file(write_report(folder.path())),
             ContainsSubstring("from step 0 on: slope (prelu) went by rows</td><td class=\"number\">2</td>"));
}
