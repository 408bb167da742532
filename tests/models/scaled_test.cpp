// Oracles: the network itself, drawn again from the same generator; the law ||w - w0|| ~ 1/alpha of Chizat,
// Oyallon and Bach (2019).
#include "models/make.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/tangent_kernel.hpp"

using plumb::Signature;
using plumb::Tensor;
using plumb::test::make_network;

namespace {

const std::string inner = "{type: mlp, width: 20, depth: 2, activation: tanh}";
const Signature plane{{5}, 3};

Tensor scaled_inputs() { return at::randn({7, 5}, plumb::Seed(3).stream("x")); }

/// ||w - w0|| after gradient descent on 1/2 ||f - y||^2 / alpha^2.
double movement(double alpha) {
  const auto network = make_network("scaled", fmt::format("{{alpha: {}, network: {}}}", alpha, inner), plane);
  network->to(at::kDouble);
  const Tensor x = scaled_inputs().to(at::kDouble),
               y = at::randn({7, 3}, plumb::Seed(4).stream("y"), at::kDouble);
  std::vector<Tensor> start;
  for (const Tensor& parameter : network->parameters()) start.push_back(parameter.detach().clone());
  for (int step = 0; step < 200; ++step) {
    const Tensor loss = (network->forward(x) - y).square().sum() / (2 * alpha * alpha);
    const auto gradients = torch::autograd::grad({loss}, network->parameters());
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < gradients.size(); ++i) network->parameters()[i].sub_(0.01 * gradients[i]);
  }
  double squared = 0;
  for (size_t i = 0; i < start.size(); ++i)
    squared += (network->parameters()[i] - start[i]).square().sum().item<double>();
  return std::sqrt(squared);
}

}  // namespace

TEST_CASE("a scaled network is alpha times the network", "[models][scaled]") {
  const auto network = make_network("mlp", "{width: 20, depth: 2, activation: tanh}", plane);
  const auto scaled = make_network("scaled", "{alpha: 7, centred: false, network: " + inner + "}", plane);
  const Tensor x = scaled_inputs();
  CHECK(at::allclose(scaled->forward(x), 7 * network->forward(x), 1e-6, 1e-6));
  CHECK(plumb::parameter_count(*scaled) == plumb::parameter_count(*network));
}

TEST_CASE("centred, it starts at 0 with alpha^2 times the network's tangent kernel", "[models][scaled]") {
  const auto network = make_network("mlp", "{width: 20, depth: 2, activation: tanh}", plane);
  const auto scaled = make_network("scaled", "{alpha: 7, network: " + inner + "}", plane);
  network->to(at::kDouble);
  scaled->to(at::kDouble);
  const Tensor x = scaled_inputs().to(at::kDouble);
  CHECK(scaled->forward(x).abs().max().item<double>() == 0);
  const Tensor expected = 49 * plumb::tangent_kernel(plumb::NetworkFunction(*network), x).matrix;
  const Tensor found = plumb::tangent_kernel(plumb::NetworkFunction(*scaled), x).matrix;
  CHECK((found - expected).norm().item<double>() < 1e-12 * expected.norm().item<double>());
}

TEST_CASE("weights move in proportion to 1/alpha", "[models][scaled]") {
  const double near = movement(100), far = movement(1000);
  CHECK(near > 1e-4);
  CHECK(near / far == Approx(10).epsilon(0.02));
}
