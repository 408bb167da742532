// Oracles: rows of reverse mode one by one, and central differences in float64.
#include <set>

#include "support/catch.hpp"
#include "support/networks.hpp"
#include <torch/torch.h>

#include "plumb/autograd/forward_derivative.hpp"
#include "plumb/autograd/functional.hpp"
#include "plumb/core/random.hpp"

using plumb::Seed;
using plumb::Tensor;
using plumb::autograd::jvp_of_parameters;
using plumb::autograd::JvpRoute;
namespace functional = plumb::autograd::functional;
using plumb::test::LayerCase;

namespace {

using Tensors = std::vector<Tensor>;

Tensors directions_for(const Tensors& parameters) {
  at::Generator generator = Seed(4).stream("directions");
  Tensors directions;
  for (const Tensor& parameter : parameters)
    directions.push_back(torch::randn(parameter.sizes(), generator, torch::kDouble));
  return directions;
}

/// J v, row by row.
Tensor product_by_rows(const LayerCase& layer, const Tensors& directions) {
  const Tensors parameters = layer.parameters();
  const Tensor outputs = layer.forward(layer.inputs);
  Tensor products = torch::zeros({outputs.numel()}, torch::kDouble);
  for (int64_t row = 0; row < outputs.numel(); ++row) {
    const Tensors gradient =
        torch::autograd::grad({outputs.reshape(-1)[row]}, parameters, {}, true, false, true);
    for (size_t i = 0; i < gradient.size(); ++i)
      if (gradient[i].defined()) products[row] += (gradient[i] * directions[i]).sum();
  }
  return products.view(outputs.sizes());
}

/// (f(w + h v) - f(w - h v)) / 2h, extrapolated from two h.
Tensor product_by_differences(const LayerCase& layer, const Tensors& directions) {
  const torch::NoGradGuard no_graph;
  const Tensors parameters = layer.parameters();
  Tensors saved;
  for (const Tensor& parameter : parameters) saved.push_back(parameter.clone());
  const auto at_step = [&](double step) {
    for (size_t i = 0; i < saved.size(); ++i) parameters[i].copy_(saved[i] + step * directions[i]);
    Tensor value = layer.forward(layer.inputs).clone();
    for (size_t i = 0; i < saved.size(); ++i) parameters[i].copy_(saved[i]);
    return value;
  };
  const auto slope = [&](double step) { return (at_step(step) - at_step(-step)) / (2 * step); };
  return (4 * slope(5e-5) - slope(1e-4)) / 3;
}

double relative_distance(const Tensor& found, const Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

}  // namespace

TEST_CASE("networks of every kind of layer treat examples independently, in float64",
          "[autograd][networks]") {
  const torch::NoGradGuard no_graph;
  std::set<std::string> names;
  for (const LayerCase& layer : plumb::test::layer_cases()) {
    CAPTURE(layer.name);
    CHECK(names.insert(layer.name).second);
    const Tensor outputs = layer.forward(layer.inputs);
    REQUIRE(outputs.dim() == 2);
    REQUIRE(outputs.size(0) == layer.inputs.size(0));
    CHECK(outputs.scalar_type() == torch::kDouble);
    CHECK(outputs.isfinite().all().item<bool>());
    CHECK(layer.forward(layer.inputs).equal(outputs));
    CHECK_FALSE(layer.parameters().empty());
    for (int64_t i = 0; i < outputs.size(0); ++i)
      CHECK(relative_distance(layer.forward(layer.inputs.slice(0, i, i + 1))[0], outputs[i]) < 1e-12);
  }
}

TEST_CASE("derivatives along parameters are right for every kind of layer",
          "[autograd][forward_derivative]") {
  for (const LayerCase& layer : plumb::test::layer_cases()) {
    CAPTURE(layer.name);
    const auto forward = [&] { return layer.forward(layer.inputs); };
    const Tensors parameters = layer.parameters();
    const Tensors directions = directions_for(parameters);
    const Tensor rows = product_by_rows(layer, directions);
    CHECK(relative_distance(rows, product_by_differences(layer, directions)) < 1e-7);
    for (const JvpRoute route : {JvpRoute::automatic, JvpRoute::forward_mode, JvpRoute::double_backward}) {
      CAPTURE(static_cast<int>(route));
      CHECK(relative_distance(jvp_of_parameters(forward, parameters, directions, route), rows) < 1e-12);
    }
  }
}

TEST_CASE("vectorized Jacobians agree with rows for every kind of layer", "[autograd][functional]") {
  for (const LayerCase& layer : plumb::test::layer_cases()) {
    if (!layer.inputs.is_floating_point()) continue;
    CAPTURE(layer.name);
    const Tensor rows = functional::jacobian(layer.forward, layer.inputs);
    CHECK(relative_distance(functional::jacobian(layer.forward, layer.inputs, {.vectorize = true}), rows) <
          1e-12);
    const Tensor columns = functional::jacobian(
        layer.forward, layer.inputs, {.vectorize = true, .strategy = functional::Strategy::forward_mode});
    CHECK(relative_distance(columns, rows) < 1e-12);
  }
}
