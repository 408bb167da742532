// Oracles: central differences in float64, rows of reverse mode, and closed forms.
#include "plumb/autograd/forward_derivative.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/autograd/dual_level.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using plumb::ContractError;
using plumb::Seed;
using plumb::Tensor;
using plumb::autograd::jvp_of_parameters;
using plumb::autograd::JvpRoute;
namespace nn = torch::nn;

namespace {

using Tensors = std::vector<Tensor>;

Tensors directions_like(const Tensors& tensors, uint64_t seed = 3) {
  at::Generator generator = Seed(seed).stream("directions");
  Tensors directions;
  for (const Tensor& tensor : tensors)
    directions.push_back(torch::randn(tensor.sizes(), generator, torch::kDouble));
  return directions;
}

/// Float64 weights from a named stream, running statistics too.
template <class Holder>
Holder drawn_module(Holder module) {
  at::Generator generator = Seed(11).stream("weights");
  module->to(torch::kDouble);
  const torch::NoGradGuard no_graph;
  for (Tensor& parameter : module->parameters())
    parameter.copy_(0.4 * torch::randn(parameter.sizes(), generator, torch::kDouble));
  for (Tensor& buffer : module->buffers())
    if (buffer.is_floating_point())
      buffer.copy_(0.5 + torch::rand(buffer.sizes(), generator, torch::kDouble));
  module->eval();
  return module;
}

Tensor inputs(std::vector<int64_t> sizes) {
  at::Generator generator = Seed(12).stream("inputs");
  return torch::randn(sizes, generator, torch::kDouble);
}

/// (f(w + h v) - f(w - h v)) / 2h at two h, extrapolated: an error of order h^4.
Tensor central_difference(const std::function<Tensor()>& forward, const Tensors& parameters,
                          const Tensors& tangents) {
  const torch::NoGradGuard no_graph;
  Tensors saved;
  for (const Tensor& parameter : parameters) saved.push_back(parameter.clone());
  const auto at_step = [&](double step) {
    for (size_t i = 0; i < saved.size(); ++i) parameters[i].copy_(saved[i] + step * tangents[i]);
    Tensor value = forward().clone();
    for (size_t i = 0; i < saved.size(); ++i) parameters[i].copy_(saved[i]);
    return value;
  };
  const auto slope = [&](double step) { return (at_step(step) - at_step(-step)) / (2 * step); };
  return (4 * slope(5e-4) - slope(1e-3)) / 3;
}

/// J v from rows of reverse mode.
Tensor by_rows(const std::function<Tensor()>& forward, const Tensors& parameters, const Tensors& tangents) {
  const Tensor outputs = forward();
  const Tensor flat = outputs.reshape(-1);
  Tensor products = torch::zeros({flat.numel()}, torch::kDouble);
  for (int64_t row = 0; row < flat.numel(); ++row) {
    const Tensors gradient = torch::autograd::grad({flat[row]}, parameters, {}, true, false, true);
    for (size_t i = 0; i < gradient.size(); ++i)
      if (gradient[i].defined()) products[row] += (gradient[i] * tangents[i]).sum();
  }
  return products.view(outputs.sizes());
}

double distance(const Tensor& found, const Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

void check_routes(const std::function<Tensor()>& forward, const Tensors& parameters) {
  const Tensors tangents = directions_like(parameters);
  const Tensor rows = by_rows(forward, parameters, tangents);
  CHECK(rows.norm().item<double>() > 0.1);
  for (const JvpRoute route : {JvpRoute::automatic, JvpRoute::forward_mode, JvpRoute::double_backward}) {
    CAPTURE(static_cast<int>(route));
    const Tensor derivative = jvp_of_parameters(forward, parameters, tangents, route);
    CHECK(derivative.sizes() == rows.sizes());
    CHECK_FALSE(derivative.requires_grad());
    CHECK(distance(derivative, rows) < 1e-12);
    CHECK(distance(derivative, central_difference(forward, parameters, tangents)) < 1e-8);
  }
}

struct CubeFunction : torch::autograd::Function<CubeFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x) {
    context->save_for_backward({x});
    return x * x * x;
  }
  static Tensors backward(torch::autograd::AutogradContext* context, const Tensors& gradients) {
    return {3 * gradients[0] * context->get_saved_variables()[0].pow(2)};
  }
};

std::string derivative_refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ContractError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("the derivative along a direction of parameters agrees with rows and differences",
          "[autograd][forward_derivative]") {
  SECTION("convolutions, batch normalization with running statistics, a linear layer") {
    auto net = drawn_module(
        nn::Sequential(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).padding(1)), nn::BatchNorm2d(4), nn::Tanh(),
                       nn::Conv2d(nn::Conv2dOptions(4, 6, 3).stride(2).groups(2).bias(false)), nn::Tanh(),
                       nn::Flatten(), nn::Linear(6 * 2 * 2, 3)));
    const Tensor x = inputs({4, 2, 6, 6});
    check_routes([&] { return net->forward(x); }, net->parameters());
  }
  SECTION("an embedding, layer normalization, pooling") {
    auto table = drawn_module(nn::Embedding(7, 5));
    auto net = drawn_module(nn::Sequential(nn::LayerNorm(nn::LayerNormOptions({5})), nn::Linear(5, 4)));
    const Tensor tokens = torch::arange(12).remainder(7).view({3, 4});
    Tensors parameters = net->parameters();
    parameters.push_back(table->weight);
    check_routes([&] { return net->forward(table(tokens)).mean(1); }, parameters);
  }
  SECTION("a recurrent layer") {
    auto net = drawn_module(nn::LSTM(nn::LSTMOptions(3, 4)));
    const Tensor x = inputs({3, 2, 3});
    check_routes([&] { return std::get<0>(net(x)); }, net->parameters());
  }
}

TEST_CASE("a linear network's derivative along a direction is the network at the direction",
          "[autograd][forward_derivative]") {
  auto net = drawn_module(nn::Linear(3, 2));
  const Tensor x = inputs({5, 3});
  const Tensors direction = directions_like(net->parameters());
  const Tensor expected = x.mm(direction[0].t()) + direction[1];
  for (const JvpRoute route : {JvpRoute::forward_mode, JvpRoute::double_backward}) {
    CHECK(distance(jvp_of_parameters([&] { return net(x); }, net->parameters(), direction, route), expected) <
          1e-14);
    // Along some parameters only.
    CHECK(distance(jvp_of_parameters([&] { return net(x); }, {net->bias}, {direction[1]}, route),
                   direction[1].expand({5, 2})) < 1e-14);
  }
}

TEST_CASE("parameters are left as they were, and frozen ones can be moved along",
          "[autograd][forward_derivative]") {
  auto net = drawn_module(nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 2)));
  const Tensor x = inputs({5, 3});
  const Tensors parameters = net->parameters();
  parameters[0].set_requires_grad(false);
  const Tensors directions = directions_like(parameters);
  const Tensor difference = central_difference([&] { return net->forward(x); }, parameters, directions);
  for (const JvpRoute route : {JvpRoute::forward_mode, JvpRoute::double_backward}) {
    CAPTURE(static_cast<int>(route));
    CHECK(distance(jvp_of_parameters([&] { return net->forward(x); }, parameters, directions, route),
                   difference) < 1e-8);
    CHECK_FALSE(parameters[0].requires_grad());
    CHECK(parameters[1].requires_grad());
    for (const Tensor& parameter : parameters) CHECK_FALSE(parameter.grad().defined());
    CHECK_THROWS_AS(jvp_of_parameters([&]() -> Tensor { throw std::runtime_error("stopped"); }, parameters,
                                      directions, route),
                    std::runtime_error);
    CHECK_FALSE(parameters[0].requires_grad());
  }
  const plumb::autograd::DualLevel level;  // no tangent survives, and the level above was left
  CHECK_FALSE(level.tangent(parameters[0]).defined());
}

TEST_CASE("the result is its own tensor, and zero where nothing depends on the parameters",
          "[autograd][forward_derivative]") {
  const Tensor w = inputs({3, 2}).requires_grad_();
  const Tensor v = inputs({3, 2}) + 1;
  for (const JvpRoute route : {JvpRoute::forward_mode, JvpRoute::double_backward}) {
    CAPTURE(static_cast<int>(route));
    const auto along = [&](const std::function<Tensor()>& forward) {
      return jvp_of_parameters(forward, {w}, {v}, route);
    };
    const Tensor identity = along([&] { return w; });
    CHECK(identity.equal(v));
    CHECK(identity.data_ptr() != v.data_ptr());
    CHECK(along([&] { return w.detach() * 2; }).equal(torch::zeros({3, 2}, torch::kDouble)));
    CHECK(along([&] { return torch::ones({4}, torch::kDouble); }).equal(torch::zeros({4}, torch::kDouble)));
    CHECK(along([&] { return w.slice(0, 0, 0); }).sizes() == at::IntArrayRef({0, 2}));
    CHECK(jvp_of_parameters([&] { return w * 2; }, {}, {}, route).equal(torch::zeros_like(w)));
    const auto recording = [&] { return w * (c10::GradMode::is_enabled() ? 2.0 : 3.0); };
    CHECK(along(recording).equal(v * (route == JvpRoute::forward_mode ? 3.0 : 2.0)));
    // Callers that record nothing get the same.
    const torch::NoGradGuard no_graph;
    CHECK(along([&] { return w.pow(2); }).allclose(2 * w * v));
  }
}

TEST_CASE("an operator without a forward formula is differentiated by two backward passes",
          "[autograd][forward_derivative]") {
  const Tensor w = inputs({3, 2}).requires_grad_();
  const Tensor v = inputs({3, 2}) + 1;
  const auto cube = [&] { return CubeFunction::apply(w.sin()); };
  const Tensor expected = 3 * w.sin().pow(2) * w.cos() * v;
  CHECK(jvp_of_parameters(cube, {w}, {v}).allclose(expected));
  CHECK(derivative_refusal([&] { jvp_of_parameters(cube, {w}, {v}, JvpRoute::forward_mode); }) ==
        "jvp_of_parameters: a torch::autograd::Function has no forward-mode formula; use the route "
        "double_backward");
  auto bag = drawn_module(nn::EmbeddingBag(5, 2));
  const auto pooled = [&] { return bag(torch::arange(4).view({2, 2})); };
  // LibTorch 1.13 names the operator _embedding_bag_dense_backward, 2.x _embedding_bag_backward.
  const std::string refused =
      derivative_refusal([&] { jvp_of_parameters(pooled, {bag->weight}, {torch::ones_like(bag->weight)}); });
  CHECK(
      refused.starts_with("jvp_of_parameters: operator '_embedding_bag' has no forward-mode formula, and "
                          "operator '_embedding_bag_"));
  CHECK(refused.ends_with("backward' cannot be differentiated; no route is left"));
}

TEST_CASE("a derivative that cannot be formed is refused", "[autograd][forward_derivative]") {
  const Tensor w = inputs({3, 2}).requires_grad_();
  const Tensor v = torch::ones({3, 2}, torch::kDouble);
  const auto forward = [&] { return w * 2; };
  const auto refused = [&](const Tensors& parameters, const Tensors& tangents) {
    return derivative_refusal([&] { jvp_of_parameters(forward, parameters, tangents); });
  };
  CHECK(refused({w}, {}) == "jvp_of_parameters: 0 tangents for 1 parameters; one for each is right");
  CHECK(refused({w, w}, {v, v}) == "jvp_of_parameters: parameters 0 and 1 are one tensor; list each once");
  CHECK(refused({w}, {v[0]}) ==
        "jvp_of_parameters: tangent 0 is Double [2] on cpu; its parameter is Double [3, 2] on cpu");
  CHECK(refused({w}, {v.to(torch::kFloat)}) ==
        "jvp_of_parameters: tangent 0 is Float [3, 2] on cpu; its parameter is Double [3, 2] on cpu");
  CHECK(refused({w}, {Tensor()}) ==
        "jvp_of_parameters: parameter 0 or its tangent is undefined; give tensors");
  const Tensor whole = torch::arange(3);
  CHECK(refused({whole}, {whole}) == "jvp_of_parameters: parameter 0 is Long; floating point is right");
  for (const JvpRoute route : {JvpRoute::forward_mode, JvpRoute::double_backward}) {
    CHECK(derivative_refusal([&] { jvp_of_parameters([&] { return w.argmax(); }, {w}, {v}, route); }) ==
          "jvp_of_parameters: forward returned Long; a tensor of floating point is right");
    const c10::InferenceMode inference;
    CHECK_THAT(derivative_refusal([&] { jvp_of_parameters(forward, {w}, {v}, route); }),
               ContainsSubstring("in inference mode"));
  }
  const plumb::autograd::DualLevel open;
  CHECK(refused({w}, {v}) ==
        "forward-mode differentiation within forward-mode differentiation: LibTorch has a single level; use "
        "reverse mode for one of the two");
}
