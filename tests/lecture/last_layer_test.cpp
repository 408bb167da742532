// Oracle: features written out by hand; the mean of Gaussian squares; measurements changed by hand, which the
// claims must catch.
#include "plumb/lecture/last_layer.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_last_layer(Systems& registry);
}

namespace {

LastLayerRun diagonal_run(int64_t steps) {
  // Q = (2 0 0; 0 1 0), y = (3, 4): eta = 1.9/5.
  const Tensor features = torch::tensor({2.0, 0.0, 0.0, 0.0, 1.0, 0.0}, torch::kDouble).reshape({2, 3});
  return train_last_layer("diagonal", features, torch::tensor({3.0, 4.0}, torch::kDouble), steps);
}

LastLayerRun column_run() {
  // Q = (1; 1), y = (3, 1): the optimum is 2, its residual (1, -1).
  const Tensor features = torch::ones({2, 1}, torch::kDouble);
  return train_last_layer("column", features, torch::tensor({3.0, 1.0}, torch::kDouble), 100);
}

LastLayerRuns honest_last_layers() {
  LastLayerRuns runs;
  runs.wide = {diagonal_run(200)};
  runs.narrow = {column_run()};
  KernelConvergence kernel{"here", {1, 4, 16}, {1, 0.5, 0.25}, {}};
  kernel.law = theory::fit_power_law(kernel.widths, kernel.errors);
  runs.kernels = {kernel};
  return runs;
}

bool unexpected_last_layer(const LastLayerRuns& runs, size_t claim) {
  return !last_layer_claims(runs)[claim].as_expected();
}

}  // namespace

TEST_CASE("S7: all claims come out as expected", "[lecture][last_layer]") {
  Systems registry;
  register_Systems_last_layer(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "last_layer").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 24);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 2);
  for (const Figure& figure : evidence.figures) CHECK(drawable(figure));
}

TEST_CASE("S7: descent on diagonal features goes as computed by hand", "[lecture][last_layer]") {
  const LastLayerRun run = diagonal_run(1);
  // After one step of 0.38 the residual is (3 (1 - 0.38 4), 4 (1 - 0.38)).
  CHECK(run.residuals.back() == Approx(std::hypot(3 * (1 - 1.52), 4 * 0.62) / 5));
  CHECK(run.predicted.back() == Approx(run.residuals.back()));
  CHECK(run.shortest == Approx(std::hypot(1.5, 4)));
  CHECK(run.rank == 2);
  CHECK(run.least_residual < 1e-12);
}

TEST_CASE("S7: a layer of one unit ends at the mean of the labels", "[lecture][last_layer]") {
  const LastLayerRun run = column_run();
  CHECK(run.least_residual == Approx(std::sqrt(2.0 / 10)));
  CHECK(run.residuals.back() == Approx(run.least_residual));
  CHECK(run.distance == Approx(2));
}

TEST_CASE("S7: the kernel of linear features of one input is a mean of squares", "[lecture][last_layer]") {
  // Q Q^T/m - 1 = mean of m (z^2 - 1), of variance 2/m; 4000 draws give its root to 2 %.
  at::Generator generator = Seed(5).stream("test");
  theory::WideMlp network;
  network.nonlinearity.kind = theory::Nonlinearity::Kind::linear;
  const KernelConvergence kernel =
      measure_convergence("", network, torch::ones({1, 1}, torch::kDouble), {8, 32, 128}, 4000, generator);
  for (size_t i = 0; i < 3; ++i)
    CHECK(kernel.errors[i] == Approx(std::sqrt(2 / kernel.widths[i])).epsilon(0.06));
}

TEST_CASE("S7: deep features keep their variance", "[lecture][last_layer]") {
  at::Generator generator = Seed(6).stream("test");
  theory::WideMlp network;
  network.depth = 3;
  network.weight_variance = 2;
  network.input_fan_in = false;
  const Tensor inputs = torch::tensor({{0.6, 0.8}}, torch::kDouble);
  double mean = 0;
  for (int i = 0; i < 50; ++i)
    mean += random_features(network, 200, inputs, generator).square().mean().item<double>() / 50;
  // With variance 2 half of the square survives each ReLU: E sigma^2 = 1. The deviation of the mean is 0.03.
  CHECK(mean == Approx(1).margin(0.12));
}

TEST_CASE("S7: every claim catches a wrong measurement", "[lecture][last_layer]") {
  LastLayerRuns runs = honest_last_layers();
  REQUIRE(last_layer_claims(runs).size() == 11);
  for (size_t claim = 0; claim < 11; ++claim) {
    INFO(claim);
    CHECK_FALSE(unexpected_last_layer(runs, claim));
  }
  runs.wide[0].vector_error[1] = 1e-6;
  CHECK(unexpected_last_layer(runs, 0));
  runs.wide[0].residuals.back() = 1e-3;
  CHECK(unexpected_last_layer(runs, 1));
  runs.wide[0].distance *= 1.01;
  CHECK(unexpected_last_layer(runs, 2));
  runs.wide[0].rank = std::nan("");
  CHECK(unexpected_last_layer(runs, 3));
  runs.narrow[0].residuals.back() = 0;
  CHECK(unexpected_last_layer(runs, 5));
  CHECK(unexpected_last_layer(runs, 8));
  runs.kernels[0].law.exponent = -1;
  CHECK(unexpected_last_layer(runs, 9));
  runs.arc_cosine_error = 1e-6;
  CHECK(unexpected_last_layer(runs, 10));
}
