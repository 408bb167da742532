// Oracle: a Kronecker product written out by hand; measurements changed by hand, which the claims must catch.
#include "plumb/lecture/linear_hidden_layer.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_linear_hidden_layer(Systems& registry);
}

TEST_CASE("S5: all claims come out as expected", "[lecture][linear_hidden_layer]") {
  Systems registry;
  register_Systems_linear_hidden_layer(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "linear_hidden_layer").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 4);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S5: a layer of two inputs and one output is measured as computed by hand",
          "[lecture][linear_hidden_layer]") {
  const Tensor x = torch::tensor({{3.0, 0.0}, {0.0, 2.0}}, torch::kDouble);
  const Tensor v = torch::tensor({{1.0, -2.0}}, torch::kDouble);
  const LinearLayerMeasurement layer = measure_linear_layer("", x, torch::ones({2, 2}, torch::kDouble), v);
  CHECK(layer.measured_rank == 2);
  CHECK(layer.rank.value == 2);
  CHECK(layer.block_error < 1e-15);
  CHECK(layer.singular_values[0].item<double>() == Approx(3 * std::sqrt(5)));
  CHECK(layer.singular_values[1].item<double>() == Approx(2 * std::sqrt(5)));
}

TEST_CASE("S5: every claim catches a wrong measurement", "[lecture][linear_hidden_layer]") {
  const Tensor x = torch::tensor({{3.0, 0.0}, {0.0, 2.0}, {1.0, 1.0}}, torch::kDouble);
  const Tensor v = torch::tensor({{1.0, -2.0}}, torch::kDouble);
  const LinearLayerMeasurement honest = measure_linear_layer("", x, torch::ones({2, 2}, torch::kDouble), v);
  const auto unexpected = [&](const LinearLayerMeasurement& layer, size_t claim) {
    return !linear_layer_claims({honest, layer}, layer)[claim].as_expected();
  };
  for (size_t claim = 0; claim < 4; ++claim) CHECK_FALSE(unexpected(honest, claim));
  LinearLayerMeasurement layer = honest;
  layer.block_error = 1e-6;
  CHECK(unexpected(layer, 0));
  layer.block_error = std::nan("");
  CHECK(unexpected(layer, 0));
  layer = honest;
  layer.spectrum_error = 1e-6;
  CHECK(unexpected(layer, 1));
  layer = honest;
  layer.measured_rank = 3;
  CHECK(unexpected(layer, 2));
  CHECK(unexpected(layer, 3));
  layer.measured_rank = std::nan("");
  CHECK(unexpected(layer, 2));
  CHECK(unexpected(layer, 3));
}
