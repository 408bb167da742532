// Oracle: products of matrices written out, and the agreement of two parameterizations of one function.
#include "plumb/models/mlp.hpp"

#include "models/make.hpp"
#include "support/catch.hpp"

using plumb::test::make_network;

namespace {
at::Tensor random_vectors(int64_t n, int64_t d) {
  return at::randn({n, d}, plumb::Seed(5).stream("x"), at::kDouble);
}
}  // namespace

TEST_CASE("a linear mlp is the product of its matrices", "[models][mlp]") {
  const auto network =
      make_network("mlp", "{width: 7, depth: 2, activation: linear, initialization: torch}", {{2, 3}, 4});
  network->to(at::kDouble);
  const auto p = network->parameters();
  REQUIRE(p.size() == 6);
  const auto inputs = random_vectors(5, 6);
  const auto expected = ((inputs.mm(p[0].t()) + p[1]).mm(p[2].t()) + p[3]).mm(p[4].t()) + p[5];
  CHECK(at::allclose(network->forward(inputs.view({5, 2, 3})), expected, 1e-12, 1e-12));
}

TEST_CASE("activations are applied between layers and not after the last", "[models][mlp]") {
  const auto network =
      make_network("mlp", "{width: 8, depth: 1, activation: leaky_relu, negative_slope: 0.3}", {{6}, 2});
  network->to(at::kDouble);
  const auto p = network->parameters();
  const auto inputs = random_vectors(9, 6);
  const auto before = inputs.mm(p[0].t());
  const auto hidden = at::where(before > 0, before, 0.3 * before);
  CHECK(at::allclose(network->forward(inputs), hidden.mm(p[2].t()), 1e-12, 1e-12));
}

TEST_CASE("an mlp without hidden layers is linear", "[models][mlp]") {
  const auto network = make_network("mlp", "{depth: 0, bias: false}", {{6}, 2});
  network->to(at::kDouble);
  REQUIRE(network->parameters().size() == 1);
  const auto inputs = random_vectors(4, 6);
  CHECK(at::allclose(network->forward(inputs), inputs.mm(network->parameters()[0].t()), 1e-12, 1e-12));
}

TEST_CASE("the ntk parameterization begins as the same function with weights of variance one",
          "[models][mlp]") {
  for (const std::string kind : {"he_normal", "lecun_normal"}) {
    INFO(kind);
    const std::string shape = "width: 300, depth: 2, initialization: " + kind;
    const auto standard = make_network("mlp", "{" + shape + "}", {{40}, 3});
    const auto ntk = make_network("mlp", "{" + shape + ", parameterization: ntk}", {{40}, 3});
    const auto inputs = random_vectors(6, 40).to(at::kFloat);
    CHECK(at::allclose(ntk->forward(inputs), standard->forward(inputs), 1e-4, 1e-4));
    // 90,000 normal values: the relative error of the variance is below 6 sqrt(2/90000) but with probability
    // 2e-9.
    const double variance = ntk->parameters()[2].square().mean().item<double>();
    CHECK(std::abs(variance - 1) < 6 * std::sqrt(2.0 / 90000));
    for (const size_t bias : {1, 3, 5}) CHECK(ntk->parameters()[bias].eq(0).all().item<bool>());
  }
  CHECK_THROWS_AS(make_network("mlp", "{parameterization: ntk, initialization: torch}"), plumb::ConfigError);
}

TEST_CASE("activations agree with their formulas", "[models][activation]") {
  using plumb::activate;
  using plumb::Activation;
  for (const double x : {-1.5, -0.2, 0.0, 0.7, 2.0}) {
    const auto at_x = [x](Activation kind) {
      return activate(at::full({1}, x, at::kDouble), kind, 0.25).item<double>();
    };
    CHECK(at_x(Activation::linear) == x);
    CHECK(at_x(Activation::relu) == std::max(x, 0.0));
    CHECK(at_x(Activation::leaky_relu) == (x > 0 ? x : 0.25 * x));
    CHECK(at_x(Activation::tanh) == Approx(std::tanh(x)));
    CHECK(at_x(Activation::gelu) == Approx(x * 0.5 * std::erfc(-x / std::sqrt(2.0))));
    CHECK(at_x(Activation::softplus) == Approx(std::log1p(std::exp(x))));
    CHECK(at_x(Activation::erf) == Approx(std::erf(x)));
  }
}
