// Oracles: central differences of the predictions in float64; J by one backward pass per row.
#include "plumb/analysis/jacobian.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"
#include "support/networks.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace {

torch::nn::Sequential smooth_network() {
  torch::manual_seed(11);
  torch::nn::Sequential net(torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 3, 3).padding(1)),
                            torch::nn::Softplus(), torch::nn::Flatten(), torch::nn::Linear(3 * 4 * 4, 6),
                            torch::nn::Tanh(), torch::nn::Linear(6, 3));
  net->to(torch::kDouble);
  return net;
}

/// Column by column, (h(w + e) - h(w - e)) / 2e with e = 1e-5: the error is about 1e-10.
Tensor by_differences(const NetworkFunction& function, const Tensor& inputs) {
  const torch::NoGradGuard no_grad;
  constexpr double step = 1e-5;
  std::vector<Tensor> columns;
  for (const Tensor& parameter : function.parameters())
    for (int64_t i = 0; i < parameter.numel(); ++i) {
      Tensor entry = parameter.view({-1})[i];
      entry.add_(step);
      const Tensor above = function(inputs).flatten();
      entry.add_(-2 * step);
      const Tensor below = function(inputs).flatten();
      entry.add_(step);
      columns.push_back((above - below) / (2 * step));
    }
  return torch::stack(columns, 1);
}

}  // namespace

TEST_CASE("J is the derivative that differences of the predictions show", "[analysis][jacobian]") {
  auto net = smooth_network();
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({5, 2, 4, 4}, torch::kDouble);
  const Tensor expected = by_differences(function, inputs);
  for (const int64_t batch : {1, 2, 256}) {
    const Jacobian jacobian(function, inputs, batch);
    REQUIRE(jacobian.rows() == 15);
    REQUIRE(jacobian.columns() == expected.size(1));
    CHECK(largest_difference(jacobian.dense(), expected) < 1e-8);
    const Tensor v = torch::randn({jacobian.columns(), 2}, torch::kDouble);
    const Tensor u = torch::randn({jacobian.rows(), 2}, torch::kDouble);
    CHECK(largest_difference(jacobian.apply(v), expected.mm(v)) < 1e-7);
    CHECK(largest_difference(jacobian.apply(v.select(1, 0)), expected.mv(v.select(1, 0))) < 1e-7);
    CHECK(largest_difference(jacobian.apply_transposed(u), expected.t().mm(u)) < 1e-7);
    CHECK(largest_difference(jacobian.apply_transposed(u.select(1, 1)), expected.t().mv(u.select(1, 1))) <
          1e-7);
  }
}

TEST_CASE("J v and J' u agree with the dense J on every kind of layer", "[analysis][jacobian]") {
  for (const test::LayerCase& network : test::layer_cases()) {
    INFO(network.name);
    const Jacobian jacobian({*network.module, network.forward}, network.inputs, 3);
    const Tensor dense = jacobian.dense();
    torch::manual_seed(12);
    const Tensor v = torch::randn({jacobian.columns()}, torch::kDouble);
    const Tensor u = torch::randn({jacobian.rows()}, torch::kDouble);
    CHECK(largest_difference(jacobian.apply(v), dense.mv(v)) < 1e-10 * v.norm().item<double>());
    CHECK(largest_difference(jacobian.apply_transposed(u), dense.t().mv(u)) <
          1e-10 * u.norm().item<double>());
  }
}

TEST_CASE("the Gram operator of J is the tangent kernel without its matrix", "[analysis][jacobian]") {
  auto net = smooth_network();
  const Jacobian jacobian({*net, [&](const Tensor& x) { return net->forward(x); }},
                          torch::randn({7, 2, 4, 4}, torch::kDouble), 3);
  const Tensor dense = jacobian.dense(), x = torch::randn({jacobian.rows(), 4}, torch::kDouble);
  CHECK(largest_difference(GramOperator(jacobian, GramSide::rows).apply(x), dense.mm(dense.t().mm(x))) <
        1e-11);
}

TEST_CASE("vectors of another length are refused with both lengths", "[analysis][jacobian]") {
  auto net = smooth_network();
  const Jacobian jacobian({*net, [&](const Tensor& x) { return net->forward(x); }},
                          torch::randn({2, 2, 4, 4}, torch::kDouble));
  CHECK_THROWS_WITH(jacobian.apply(torch::zeros({5}, torch::kDouble)),
                    ContainsSubstring("J v needs v of length"));
  CHECK_THROWS_WITH(jacobian.apply_transposed(torch::zeros({5}, torch::kDouble)),
                    ContainsSubstring("J' u needs u of length 6, got a tensor of 5 rows"));
}
