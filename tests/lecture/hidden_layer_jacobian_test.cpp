// Oracle: a layer of one unit computed by hand; measurements changed by hand, which the claims must catch.
#include "plumb/lecture/hidden_layer_jacobian.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_hidden_layer_jacobian(Systems& registry);
}

namespace {

Tensor square(std::vector<double> values) { return torch::tensor(values, torch::kDouble).reshape({2, 2}); }

HiddenLayerMeasurement measure(Activation activation, const Tensor& inputs) {
  return measure_hidden_layer("", activation, 0.1, inputs, square({1, 0.5, -0.5, 1}),
                              torch::tensor({1.0, 2.0}, torch::kDouble));
}

HiddenLayerRuns honest_layers() {
  const Tensor inputs = square({1, 2, 3, -1});
  return {{measure(Activation::linear, inputs), measure(Activation::leaky_relu, inputs)},
          measure(Activation::leaky_relu, square({1, 2, 1, 2})),
          measure(Activation::relu, square({1, 2, -2, -2}))};
}

}  // namespace

TEST_CASE("S6: all claims come out as expected", "[lecture][hidden_layer_jacobian]") {
  Systems registry;
  register_Systems_hidden_layer_jacobian(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "hidden_layer_jacobian").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 10);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S6: a linear layer of orthogonal inputs is measured as computed by hand",
          "[lecture][hidden_layer_jacobian]") {
  const HiddenLayerMeasurement layer = measure(Activation::linear, square({2, 0, 0, 1}));
  // J J^T = ||v||^2 X X^T = 5 diag(4, 1).
  CHECK(layer.measured_lambda_min == Approx(5));
  CHECK(layer.lambda_min.value == Approx(5));
  CHECK(layer.measured_rank == 2);
}

TEST_CASE("S6: every claim catches a wrong measurement", "[lecture][hidden_layer_jacobian]") {
  const auto unexpected = [](const HiddenLayerRuns& runs, size_t claim) {
    return !hidden_layer_claims(runs)[claim].as_expected();
  };
  HiddenLayerRuns runs = honest_layers();
  REQUIRE(hidden_layer_claims(runs).size() == 7);
  for (size_t claim = 0; claim < 7; ++claim) CHECK_FALSE(unexpected(runs, claim));
  runs.generic[1].block_error = 1e-6;
  CHECK(unexpected(runs, 0));
  runs = honest_layers();
  runs.generic[1].measured_lambda_min = 0.9 * runs.generic[1].lambda_min.value;
  CHECK(unexpected(runs, 1));
  runs = honest_layers();
  runs.generic[0].measured_lambda_min *= 1.01;
  CHECK(unexpected(runs, 2));
  runs = honest_layers();
  runs.generic[0].measured_rank = 1;
  CHECK(unexpected(runs, 3));
  runs.generic[1].measured_rank = std::nan("");
  CHECK(unexpected(runs, 4));
  runs.dependent.full_rank.assumptions.clear();
  CHECK(unexpected(runs, 5));
  runs.inactive.measured_rank = 2;
  CHECK(unexpected(runs, 6));
}
