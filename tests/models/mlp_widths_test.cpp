// Oracle: products of matrices written out.
#include "models/make.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

using plumb::test::make_network;

TEST_CASE("hidden layers have the widths that are listed", "[models][mlp]") {
  const auto network = make_network("mlp_widths", "{widths: [7, 3]}", {{2, 3}, 4});
  network->to(at::kDouble);
  const auto p = network->parameters();
  REQUIRE(p.size() == 6);
  CHECK(p[0].size(0) == 7);
  CHECK(p[2].size(0) == 3);
  const auto inputs = at::randn({5, 6}, plumb::Seed(5).stream("x"), at::kDouble);
  const auto expected = inputs.mm(p[0].t()).relu().mm(p[2].t()).relu().mm(p[4].t());
  CHECK(at::allclose(network->forward(inputs.view({5, 2, 3})), expected, 1e-12, 1e-12));
}

TEST_CASE("the default is the memorizing network of CIFAR-10", "[models][mlp]") {
  // 3072 - 448 - 448 - 40 - 10 with biases.
  CHECK(plumb::parameter_count(*make_network("mlp_widths", "", {{3, 32, 32}, 10})) == 1596226);
}
