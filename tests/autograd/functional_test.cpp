// Oracles: closed forms, and central differences in float64. Python's results are in
// functional_reference_test.cpp.
#include "plumb/autograd/functional.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/autograd/dual_level.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using plumb::ContractError;
using plumb::Seed;
using plumb::Tensor;
using namespace plumb::autograd::functional;  // NOLINT
namespace nn = torch::nn;

namespace {

Tensor drawn(std::vector<int64_t> sizes, uint64_t seed = 1) {
  at::Generator generator = Seed(seed).stream("functional");
  return torch::randn(sizes, generator, torch::kDouble);
}

bool close(const Tensor& found, const Tensor& expected, double tolerance = 1e-12) {
  return found.sizes() == expected.sizes() && torch::allclose(found, expected, 0, tolerance);
}

/// A small convolutional network in evaluation mode, float64, with running statistics of its own.
nn::Sequential make_network() {
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(2, 3, 3).padding(1)), nn::BatchNorm2d(3), nn::Tanh(),
                     nn::Conv2d(nn::Conv2dOptions(3, 3, 3).stride(2).groups(3)), nn::Tanh(), nn::Flatten(),
                     nn::Linear(12, 3));
  net->to(torch::kDouble);
  const torch::NoGradGuard no_graph;
  for (Tensor& parameter : net->parameters()) parameter.copy_(0.5 * drawn(parameter.sizes().vec(), 2));
  for (Tensor& buffer : net->buffers())
    if (buffer.is_floating_point()) buffer.copy_(drawn(buffer.sizes().vec(), 3).abs() + 0.5);
  net->eval();
  return net;
}

/// Column by column, with an error of order h^4.
Tensor by_differences(const std::function<Tensor(const Tensor&)>& function, const Tensor& x) {
  const torch::NoGradGuard no_graph;
  std::vector<Tensor> columns;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto slope = [&](double step) {
      const auto moved = [&](double by) {
        Tensor other = x.clone();
        other.view(-1)[i] += by;
        return function(other);
      };
      return (moved(step) - moved(-step)) / (2 * step);
    };
    columns.push_back((4 * slope(5e-4) - slope(1e-3)) / 3);
  }
  auto sizes = columns[0].sizes().vec();
  sizes.insert(sizes.end(), x.sizes().begin(), x.sizes().end());
  return torch::stack(columns, -1).view(sizes);
}

/// x -> x^3, first with a derivative of our own; forward mode does not know it.
struct OwnCube : torch::autograd::Function<OwnCube> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x) {
    context->save_for_backward({x});
    return x * x * x;
  }
  static Tensors backward(torch::autograd::AutogradContext* context, const Tensors& gradients) {
    return {3 * gradients[0] * context->get_saved_variables()[0].pow(2)};
  }
};

/// x -> 2 x with a derivative that is wrong the first time it is computed, as a wrong batching rule would be.
struct OnceWrong : torch::autograd::Function<OnceWrong> {
  static inline int calls = 0;
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return 2 * x; }
  static Tensors backward(torch::autograd::AutogradContext*, const Tensors& gradients) {
    return {gradients[0] * (++calls == 1 ? 3 : 2)};
  }
};

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ContractError& error) {
    return error.what();
  }
  return "accepted";
}

const JacobianOptions kForward{.vectorize = true, .strategy = Strategy::forward_mode};
const HessianOptions kForwardHessian{.vectorize = true, .outer_jacobian_strategy = Strategy::forward_mode};
const auto cube_sum = [](const Tensor& x) { return x.pow(3).sum(); };

}  // namespace

TEST_CASE("a Jacobian has the form of its inputs and outputs", "[autograd][functional]") {
  const Tensor x = drawn({2, 3});
  const Tensor y = drawn({4});
  const auto one_to_one = [](const Tensor& t) { return t.exp().sum(1); };
  const auto one_to_two = [](const Tensor& t) { return Tensors{t.sum(), 2 * t}; };
  const auto two_to_one = [](const Tensors& t) { return t[0].sum() * t[1]; };
  const auto two_to_two = [](const Tensors& t) { return Tensors{t[0].sum() * t[1], t[0]}; };
  for (const JacobianOptions& options : {JacobianOptions{}, JacobianOptions{.vectorize = true}, kForward}) {
    const Tensor rows = jacobian(one_to_one, x, options);
    CHECK(close(rows, torch::eye(2, torch::kDouble).unsqueeze(2) * x.exp()));
    const std::vector<Tensor> by_output = jacobian(one_to_two, x, options);
    CHECK(close(by_output[0], torch::ones({2, 3}, torch::kDouble)));
    CHECK(close(by_output[1].view({6, 6}), 2 * torch::eye(6, torch::kDouble)));
    const std::vector<Tensor> by_input = jacobian(two_to_one, {x, y}, options);
    CHECK(close(by_input[0], y.view({4, 1, 1}).expand({4, 2, 3})));
    CHECK(close(by_input[1], x.sum() * torch::eye(4, torch::kDouble)));
    const std::vector<std::vector<Tensor>> both = jacobian(two_to_two, {x, y}, options);
    CHECK(close(both[0][1], by_input[1]));
    CHECK(close(both[1][0].view({6, 6}), torch::eye(6, torch::kDouble)));
    CHECK(close(both[1][1], torch::zeros({2, 3, 4}, torch::kDouble)));
  }
}

TEST_CASE("products have the form of their inputs and outputs", "[autograd][functional]") {
  const Tensor x = drawn({2, 3});
  const Tensor y = drawn({4});
  const auto two_to_one = [](const Tensors& t) { return t[0].sum() * t[1]; };
  const auto [outputs, pulled] = vjp(two_to_one, {x, y}, y);
  CHECK(close(outputs, x.sum() * y));
  CHECK(close(pulled[0], y.dot(y).expand({2, 3})));
  CHECK(close(pulled[1], x.sum() * y));
  const auto [same_outputs, pushed] = jvp(two_to_one, {x, y}, {x, y});
  CHECK(close(same_outputs, outputs));
  CHECK(close(pushed, 2 * x.sum() * y));
  const auto [value, gradient] = vjp([](const Tensor& t) { return t.pow(2).sum(); }, x);
  CHECK(close(value, x.pow(2).sum()));
  CHECK(close(gradient, 2 * x));
  const auto [list, tangents] = jvp([](const Tensor& t) { return Tensors{t.exp(), 2 * t}; }, x, x);
  CHECK(close(tangents[0], x.exp() * x));
  CHECK(close(tangents[1], 2 * x));
  // x^T A x has the Hessian A + A^T.
  const Tensor a = drawn({4, 4}, 5);
  const auto form = [&](const Tensor& t) { return t.matmul(a).dot(t); };
  const Tensor v = drawn({4}, 6);
  CHECK(close(hvp(form, y, v).second, (a + a.t()).matmul(v)));
  CHECK(close(vhp(form, y, v).second, (a + a.t()).matmul(v)));
  CHECK(close(vhp(form, y, v).first, form(y)));
  for (const HessianOptions& options :
       {HessianOptions{}, HessianOptions{.vectorize = true}, kForwardHessian}) {
    CHECK(close(hessian(form, y, options), a + a.t()));
    const auto blocks =
        hessian([](const Tensors& t) { return t[0].sum() * t[1].pow(2).sum(); }, {x, y}, options);
    CHECK(close(blocks[0][0], torch::zeros({2, 3, 2, 3}, torch::kDouble)));
    CHECK(close(blocks[0][1], (2 * y).expand({2, 3, 4})));
    CHECK(close(blocks[1][1], 2 * x.sum() * torch::eye(4, torch::kDouble)));
  }
}

TEST_CASE("a convolutional network's Jacobian agrees with differences in every mode",
          "[autograd][functional]") {
  nn::Sequential net = make_network();
  const Tensor images = drawn({2, 2, 5, 5}, 7);
  const Tensor expected = by_differences([&](const Tensor& x) { return net->forward(x); }, images);
  const auto outputs = [&](const Tensor& x) { return net->forward(x); };
  const Tensor loop = jacobian(outputs, images);
  CHECK(close(loop, expected, 1e-9));
  CHECK(close(jacobian(outputs, images, {.vectorize = true}), loop));
  CHECK(close(jacobian(outputs, images, kForward), loop));
  const Tensor v = drawn({2, 2, 5, 5}, 8);
  CHECK(close(jvp(outputs, images, v).second, torch::tensordot(loop, v, {2, 3, 4, 5}, {0, 1, 2, 3})));
  nn::Linear layer(4, 2);
  layer->to(torch::kDouble);
  CHECK(close(jacobian(layer, drawn({4})), layer->weight.detach()));
  // An example does not influence another one's outputs.
  CHECK(loop.select(0, 0).select(1, 1).abs().max().item<double>() == 0);
  const auto loss = [&](const Tensor& x) { return net->forward(x).pow(2).sum(); };
  const Tensor curvature = hessian(loss, images.slice(0, 0, 1), {.vectorize = true});
  const auto slope = [&](const Tensor& x) { return vjp(loss, x).second; };
  CHECK(close(curvature, by_differences(slope, images.slice(0, 0, 1)), 1e-8));
  CHECK_THAT(refusal([&] { hessian(loss, images.slice(0, 0, 1), kForwardHessian); }),
             ContainsSubstring("has no forward-mode formula; use Strategy::reverse_mode"));
  const auto plain = [&](const Tensor& x) {
    return torch::conv2d(x, net->parameters()[0]).tanh().mean({2, 3}).pow(3).sum();
  };
  const Tensor image = images.slice(0, 0, 1);
  CHECK(close(hessian(plain, image, kForwardHessian), hessian(plain, image)));
  for (const Tensor& parameter : net->parameters()) CHECK_FALSE(parameter.grad().defined());
}

TEST_CASE("the function sees other tensors than the inputs, which are left as they were",
          "[autograd][functional]") {
  const Tensor x = drawn({3}).requires_grad_();
  // Only the argument counts, not the same tensor used beside it.
  const auto product = [&](const Tensor& t) { return t * x; };
  CHECK(close(jacobian(product, x), torch::diag(x)));
  const Tensor differentiable = jacobian(product, x, {.create_graph = true});
  CHECK(close(torch::autograd::grad({differentiable.sum()}, {x})[0], torch::ones({3}, torch::kDouble)));
  const Tensor plain = drawn({3});
  {
    const torch::NoGradGuard no_graph;
    CHECK(close(jacobian(cube_sum, plain), 3 * plain.pow(2)));
    CHECK(close(hvp(cube_sum, plain, plain).second, 6 * plain.pow(2)));
    CHECK(close(hessian(cube_sum, plain, kForwardHessian), torch::diag(6 * plain)));
  }
  CHECK_FALSE(plain.requires_grad());
  CHECK(x.requires_grad());
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(jacobian(product, x).requires_grad());
  CHECK_FALSE(jacobian(product, x, kForward).requires_grad());
  CHECK_FALSE(
      hessian([&](const Tensor& t) { return (t.pow(2) * x).sum(); }, x, kForwardHessian).requires_grad());
  // The result of an identity is not the memory of a unit vector or an input.
  CHECK(close(jacobian([](const Tensor& t) { return t; }, plain), torch::eye(3, torch::kDouble)));
}

TEST_CASE("vectorized results do not depend on what LibTorch can batch", "[autograd][functional]") {
  const Tensor x = drawn({4});
  const auto numbers_of = [](const Tensor& t) {  // reads values, which a batch does not have
    return t * (t.sum().item<double>() > 0 ? t.max().item<double>() : 2.0);
  };
  const auto own = [](const Tensor& t) { return OwnCube::apply(t); };
  for (const bool vectorize : {false, true}) {
    CHECK(close(jacobian(own, x, {.vectorize = vectorize}), torch::diag(3 * x.pow(2))));
    CHECK(close(jacobian(numbers_of, x, {.vectorize = vectorize}), jacobian(numbers_of, x)));
  }
  CHECK(close(jacobian(numbers_of, x, kForward), jacobian(numbers_of, x)));
  const auto in_place = [](const Tensor& t) {
    Tensor filled = torch::zeros({5}, torch::kDouble);
    filled.slice(0, 0, 4).copy_(t.exp());
    filled[4] = t.prod();
    return filled;
  };
  CHECK(close(jacobian(in_place, x, {.vectorize = true}), jacobian(in_place, x)));
  CHECK(close(jacobian(in_place, x, kForward), jacobian(in_place, x)));
  OnceWrong::calls = 0;
  CHECK(close(jacobian([](const Tensor& t) { return OnceWrong::apply(t); }, x, {.vectorize = true}),
              2 * torch::eye(4, torch::kDouble)));
  CHECK(OnceWrong::calls == 6);  // a batch, the comparison, four rows
  // A Jacobian within a Jacobian: batches do not mix.
  const auto inner = [](const Tensor& t) {
    return jacobian([](const Tensor& s) { return s.pow(3); }, t, {.create_graph = true, .vectorize = true})
        .sum(1);
  };
  CHECK(close(jacobian(inner, x, {.vectorize = true}), torch::diag(6 * x)));
  CHECK(close(jacobian(inner, x, kForward), torch::diag(6 * x)));
}

TEST_CASE("derivatives of nothing are empty, and not finite ones are kept", "[autograd][functional]") {
  const Tensor x = drawn({3});
  const auto none = [](const Tensor& t) { return t.slice(0, 0, 0).unsqueeze(1); };
  for (const JacobianOptions& options : {JacobianOptions{}, JacobianOptions{.vectorize = true}, kForward}) {
    CHECK(jacobian(none, x, options).sizes() == at::IntArrayRef({0, 1, 3}));
    CHECK(jacobian([](const Tensor& t) { return t.sum() + torch::ones({2}, torch::kDouble); },
                   torch::zeros({0}, torch::kDouble), options)
              .sizes() == at::IntArrayRef({2, 0}));
    const Tensor root = jacobian([](const Tensor& t) { return t.sqrt(); },
                                 torch::tensor({0.0, 4.0}, torch::kDouble), options);
    CHECK(root[0][0].isinf().item<bool>());
    CHECK(root[1][1].item<double>() == 0.25);
  }
  const Tensor single = jacobian([](const Tensor& t) { return t.tanh(); }, x.to(torch::kFloat), kForward);
  CHECK(single.scalar_type() == torch::kFloat);
  CHECK(close(single.to(torch::kDouble), torch::diag(1 - x.tanh().pow(2)), 1e-6));
}

TEST_CASE("a product's v must match, and may be left out for a single element", "[autograd][functional]") {
  const Tensor x = drawn({3});
  const auto twice = [](const Tensor& t) { return 2 * t; };
  CHECK(refusal([&] { vjp(twice, x); }) ==
        "vjp: v is not given; that is right only where the outputs are one tensor of one element");
  CHECK(refusal([&] { jvp(twice, x); }) ==
        "jvp: v is not given; that is right only where the inputs are one tensor of one element");
  CHECK(refusal([&] { hvp(cube_sum, x); }) ==
        "hvp: v is not given; that is right only where the inputs are one tensor of one element");
  CHECK(refusal([&] { vhp(cube_sum, x); }) ==
        "vhp: v is not given; that is right only where the inputs are one tensor of one element");
  CHECK(refusal([&] { vjp(twice, x, {x, x}); }) == "vjp: v has 2 tensors; the outputs have 1");
  CHECK(refusal([&] { jvp(twice, x, drawn({2})); }) ==
        "jvp: v[0] has sizes [2]; [3] is right, as of the inputs");
  CHECK(refusal([&] { vjp(twice, x, Tensor()); }) == "vjp: v[0] is undefined; give a tensor");
  CHECK(refusal([&] { hvp(twice, x, x); }) ==
        "hvp: the function returned 1 tensors, the first of sizes [3]; one tensor of one element is right");
  CHECK(
      refusal([&] { hessian(twice, x); }) ==
      "hessian: the function returned 1 tensors, the first of sizes [3]; one tensor of one element is right");
  CHECK(close(hvp(cube_sum, x.slice(0, 0, 1)).second, 6 * x.slice(0, 0, 1)));
}

TEST_CASE("strict mode refuses what is independent of the inputs", "[autograd][functional]") {
  const Tensor x = drawn({3});
  const auto constant = [](const Tensor& t) { return t.detach().sum(); };
  const auto first = [](const Tensors& t) { return t[0].pow(3).sum(); };
  const auto linear = [](const Tensor& t) { return 2 * t.sum(); };
  const ProductOptions strict{.strict = true};
  const ProductOptions strict_graph{.create_graph = true, .strict = true};
  const std::string end = "; strict mode refuses that";
  for (const std::string name : {"vjp", "jvp", "hvp", "vhp", "jacobian", "hessian"}) {
    CAPTURE(name);
    const auto call = [&](const auto& function, const auto& inputs, const ProductOptions& options) {
      return refusal([&] {
        if (name == "vjp") vjp(function, inputs, {}, options);
        if (name == "jvp") jvp(function, inputs, inputs, options);
        if (name == "hvp") hvp(function, inputs, inputs, options);
        if (name == "vhp") vhp(function, inputs, inputs, options);
        if (name == "jacobian") jacobian(function, inputs, {options.create_graph, options.strict});
        if (name == "hessian") hessian(function, inputs, {options.create_graph, options.strict});
      });
    };
    CHECK(call(constant, x, strict) ==
          name + ": output 0 does not depend on the inputs in a differentiable way" + end);
    CHECK(call(constant, x, {}) == "accepted");
    const std::string independent = call(first, Tensors{x, x}, strict);
    if (name == "jacobian")
      CHECK(independent == "jacobian: output 0 is independent of input 1" + end);
    else if (name == "hessian")
      CHECK(independent ==
            "hessian: the gradient with respect to input 1 is independent of the inputs" + end);
    else
      CHECK_THAT(independent, ContainsSubstring(" independent of input 1" + end));
    const bool second = name == "hvp" || name == "vhp" || name == "hessian";
    CHECK(call(linear, x, strict) ==
          (second ? name + ": the gradient with respect to input 0 is independent of the inputs" + end
                  : "accepted"));
    CHECK(call(linear, x, strict_graph) != "accepted");
  }
  CHECK(refusal([&] { jacobian(linear, x, {.create_graph = true, .strict = true}); }) ==
        "jacobian: the Jacobian of output 0 with respect to input 0 is independent of the inputs, and "
        "create_graph is set" +
            end);
  CHECK(refusal([&] { vjp(linear, x, {}, strict_graph); }) ==
        "vjp: the Jacobian with respect to input 0 is independent of the inputs, and create_graph is set" +
            end);
}

TEST_CASE("options that exclude each other are refused", "[autograd][functional]") {
  const Tensor x = drawn({3});
  const auto refused = [&](const JacobianOptions& options) {
    const HessianOptions same{options.create_graph, options.strict, options.vectorize, options.strategy};
    CHECK(refusal([&] { hessian(cube_sum, x, same); }) != "accepted");
    return refusal([&] { jacobian(cube_sum, x, options); });
  };
  CHECK(refused({.strict = true, .vectorize = true}) ==
        "jacobian: strict is set with vectorize, which cannot see dependence; set one of them");
  CHECK(refused({.strategy = Strategy::forward_mode}) ==
        "jacobian: Strategy::forward_mode needs vectorize; set it");
  CHECK(refused({.strict = true, .vectorize = true, .strategy = Strategy::forward_mode}) ==
        "jacobian: strict is set with Strategy::forward_mode, which cannot see dependence; use "
        "Strategy::reverse_mode");
  CHECK(refused({.create_graph = true, .vectorize = true, .strategy = Strategy::forward_mode}) ==
        "jacobian: create_graph is set with Strategy::forward_mode, which keeps no graph; use "
        "Strategy::reverse_mode");
}

TEST_CASE("what cannot be differentiated is refused with its reason", "[autograd][functional]") {
  const Tensor x = drawn({3});
  CHECK(refusal([&] { jacobian([](const Tensor& t) { return OwnCube::apply(t); }, x, kForward); }) ==
        "jacobian: a torch::autograd::Function has no forward-mode formula; use Strategy::reverse_mode");
  CHECK(refusal([&] {
          jacobian([](const Tensor& t) { return torch::cdist(t, t.flip(0)); }, drawn({3, 2}), kForward);
        }) == "jacobian: operator '_cdist_forward' has no forward-mode formula; use Strategy::reverse_mode");
  CHECK(refusal([&] { jacobian([](const Tensors& t) { return t[0]; }, Tensors{}); }) ==
        "jacobian: the list of inputs is empty; give at least one tensor");
  CHECK(refusal([&] { jacobian([](const Tensor& t) { return t; }, Tensor()); }) ==
        "jacobian: input 0 is undefined; give a tensor");
  CHECK(refusal([&] { jacobian([](const Tensor&) { return Tensor(); }, x); }) ==
        "jacobian: output 0 is undefined; return a tensor");
  CHECK(refusal([&] { jacobian([](const Tensor&) { return Tensors{}; }, x); }) ==
        "jacobian: the function returned an empty list; at least one tensor is right");
  // LibTorch's own errors and the function's pass through.
  CHECK_THROWS_AS(jacobian(cube_sum, torch::arange(3)), c10::Error);
  CHECK_THROWS_AS(jacobian([](const Tensor&) -> Tensor { throw std::out_of_range("mine"); }, x, kForward),
                  std::out_of_range);
  {
    const c10::InferenceMode inference;
    CHECK(refusal([&] { jacobian(cube_sum, x); }) ==
          "jacobian in inference mode: no derivative is kept there; leave inference mode");
  }
  const plumb::autograd::DualLevel open;
  CHECK_THAT(refusal([&] { jacobian(cube_sum, x, kForward); }),
             ContainsSubstring("LibTorch has a single level"));
  CHECK(close(jacobian(cube_sum, x), 3 * x.pow(2)));
}
