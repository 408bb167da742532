// What is refused, or marked in a note, by the name of what is the matter.
#include <algorithm>
#include <memory>
#include <thread>

#include "support/case_network.hpp"
#include "support/catch.hpp"
#include "tangent_kernel/per_example_jacobian.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using test::CaseNetwork;
using test::check_kernels;
using test::check_products;
using test::check_refused;
using test::normal;
using test::notes_of;

namespace {

namespace nn = torch::nn;

/// A part computed without a graph and again, with one, in the backward pass, where its gradients go into
/// grad().
struct Recomputed : torch::autograd::Function<Recomputed> {
  static inline std::function<Tensor(const Tensor&)> part;

  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x) {
    context->save_for_backward({x});
    const torch::NoGradGuard no_graph;
    return part(x);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    const torch::AutoGradMode graph(true);
    Tensor x = context->get_saved_variables()[0].detach().requires_grad_();
    torch::autograd::backward({part(x)}, {gradients[0]});
    return {x.grad()};
  }
};

/// Either an Error or a note with each of the names.
void check_said(const CaseNetwork& network, const Tensor& inputs, const std::vector<std::string>& names) {
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured}) {
    try {
      const auto kernel = tangent_kernel(network.function(), inputs, {.route = route});
      for (const std::string& name : names) CHECK_THAT(notes_of(kernel), ContainsSubstring(name));
    } catch (const Error& error) {
      for (const std::string& name : names) CHECK_THAT(error.what(), ContainsSubstring(name));
    }
  }
}

}  // namespace

TEST_CASE("a part that is recomputed in the backward pass is refused, or its parameters are named",
          "[tangent_kernel][refusals]") {
  CaseNetwork network;
  nn::Linear before = network.part("before", nn::Linear(3, 4)),
             after = network.part("after", nn::Linear(4, 2));
  std::vector<std::string> names{"inner.weight"};
  SECTION("one Linear") {
    nn::Linear inner = network.part("inner", nn::Linear(4, 4));
    Recomputed::part = [=](const Tensor& x) mutable { return inner(x).tanh(); };
  }
  SECTION("two layers") {
    nn::Sequential inner =
        network.part("inner", nn::Sequential(nn::Linear(4, 5), nn::Tanh(), nn::Linear(5, 4)));
    Recomputed::part = [=](const Tensor& x) mutable { return inner->forward(x); };
    names = {"inner.0.weight", "inner.2.weight"};
  }
  SECTION("a normalization") {
    nn::LayerNorm inner = network.part("inner", nn::LayerNorm(nn::LayerNormOptions({4})));
    Recomputed::part = [=](const Tensor& x) mutable { return inner(x); };
  }
  network.forward = [=](const Tensor& x) mutable { return after(Recomputed::apply(before(x).tanh())); };
  check_said(network, normal({4, 3}), names);
  const NetworkFunction function = network.function();
  const Tensor v = normal({function.parameter_count()});
  // Numbers that leave the part out are wrong unless that is said: the parameters do move predictions.
  CHECK_THROWS_AS(Jacobian(function, normal({4, 3})).apply(v), Error);
  const std::vector<std::string> notes = Jacobian(function, normal({4, 3})).notes();
  for (const std::string& name : names)
    CHECK(std::any_of(notes.begin(), notes.end(),
                      [&](const std::string& note) { return note.find(name) != std::string::npos; }));
  Recomputed::part = {};
}

TEST_CASE("a network of bfloat16 has a kernel, or is refused by plumb", "[tangent_kernel][refusals]") {
  CaseNetwork network;
  nn::Sequential layers =
      network.part("layers", nn::Sequential(nn::Linear(4, 8), nn::Tanh(), nn::Linear(8, 2)));
  network.forward = [=](const Tensor& x) mutable { return layers->forward(x); };
  network.module->to(torch::kBFloat16);
  const Tensor x = normal({5, 4}).to(torch::kBFloat16);
  const Tensor jacobian = network.jacobian(x), expected = jacobian.mm(jacobian.t());
  const auto close = [&](const Tensor& found) {
    CHECK((found.to(torch::kDouble) - expected).norm().item<double>() <
          0.05 * expected.norm().item<double>());
  };
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured}) {
    for (const bool accumulate_double : {false, true}) {
      try {
        close(tangent_kernel(network.function(), x, {.route = route, .accumulate_double = accumulate_double})
                  .matrix);
      } catch (const Error& error) {
        CHECK_THAT(error.what(), ContainsSubstring("BFloat16"));
      }
    }
  }
  check_products(network, x, 0.1, /*may_refuse=*/true);
}

TEST_CASE("a complex parameter is refused by its name", "[tangent_kernel][refusals]") {
  CaseNetwork network;
  Tensor real = network.parameter("real", {4, 2});
  SECTION("complex128") {
    Tensor w = network.parameter("w", torch::randn({4, 2}, torch::kComplexDouble));
    network.forward = [=](const Tensor& x) { return x.mm(real) + x.mm(torch::real(w)).tanh(); };
  }
  SECTION("complex64, first of all") {
    network = CaseNetwork();
    Tensor w = network.parameter("w", torch::randn({4, 2}, torch::kComplexFloat));
    network.forward = [=](const Tensor& x) { return x.mm(torch::real(w).to(torch::kDouble)).tanh(); };
  }
  SECTION("as a vector of phases") {
    Tensor w = network.parameter("w", torch::randn({2}, torch::kComplexDouble));
    network.forward = [=](const Tensor& x) { return torch::real(x.mm(real) * w); };
  }
  check_refused(network, normal({3, 4}), {"parameter w is complex"});
}

TEST_CASE("outputs may have any shape", "[tangent_kernel][outputs]") {
  const std::vector<std::vector<int64_t>> shapes{{}, {3}, {2, 3}, {1, 2, 1, 2}, {1}, {1, 1}};
  for (const auto& shape : shapes) {
    const int64_t c = c10::multiply_integers(shape);
    INFO("outputs (n, " << at::IntArrayRef(shape) << ")");
    CaseNetwork network;
    nn::Sequential layers =
        network.part("layers", nn::Sequential(nn::Linear(4, 5), nn::Tanh(), nn::Linear(5, c)));
    network.forward = [=](const Tensor& x) mutable {
      std::vector<int64_t> sizes{x.size(0)};
      sizes.insert(sizes.end(), shape.begin(), shape.end());
      return layers->forward(x).reshape(sizes);
    };
    check_kernels(network, normal({5, 4}), normal({2, 4}));
    check_products(network, normal({5, 4}));
    CHECK(tangent_kernel(network.function(), normal({3, 4})).outputs == c);
    CHECK(Jacobian(network.function(), normal({3, 4})).outputs() == c);
  }
}

TEST_CASE("outputs whose examples are not first in memory are taken by shape", "[tangent_kernel][outputs]") {
  CaseNetwork network;
  Tensor w = network.parameter("w", {6, 4});
  network.forward = [=](const Tensor& x) {
    return w.mm(x.t()).view({2, 3, x.size(0)}).permute({2, 1, 0}).tanh();
  };
  check_kernels(network, normal({3, 4}), normal({5, 4}));
  check_products(network, normal({3, 4}));
}

TEST_CASE("parameters without a part in the predictions are named in a note", "[tangent_kernel][notes]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 4)), b = network.part("b", nn::Linear(4, 2));
  std::vector<std::string> names;
  SECTION("unused") {
    network.parameter("spare", {3, 3});
    network.part("unused_layer", nn::Conv2d(2, 2, 3));
    names = {"spare", "unused_layer.weight", "unused_layer.bias"};
    network.forward = [=](const Tensor& x) mutable { return b(a(x).tanh()); };
  }
  SECTION("detached") {
    Tensor scale = network.parameter("scale", {4});
    names = {"scale"};
    network.forward = [=](const Tensor& x) mutable { return b(a(x).tanh() * scale.detach()); };
  }
  SECTION("under no_grad") {
    names = {"a.weight", "a.bias"};
    network.forward = [=](const Tensor& x) mutable {
      Tensor h;
      {
        const torch::NoGradGuard no_graph;
        h = a(x).tanh();
      }
      return b(h);
    };
  }
  SECTION("cut off by an integer") {
    names = {"a.weight", "a.bias"};
    Tensor table = network.parameter("table", {3, 4});
    network.forward = [=](const Tensor& x) mutable {
      return b(table.index_select(0, a(x).argmax(1) % 3).tanh());
    };
  }
  check_said(network, normal({5, 4}), names);
  const auto split = tangent_kernel_by_parameter(network.function(), normal({5, 4}));
  for (const std::string& name : names) CHECK_THAT(notes_of(split.whole), ContainsSubstring(name));
  check_kernels(network, normal({5, 4}));
}

TEST_CASE("predictions that were recorded without a graph are refused", "[tangent_kernel][refusals]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 4)), b = network.part("b", nn::Linear(4, 2));
  const Tensor x = normal({5, 4});
  SECTION("no_grad in forward") {
    network.forward = [=](const Tensor& inputs) mutable {
      const torch::NoGradGuard no_graph;
      return b(a(inputs).tanh());
    };
    check_refused(network, x, {"graph", "gradient", "no_grad"});
  }
  SECTION("detached outputs") {
    network.forward = [=](const Tensor& inputs) mutable { return b(a(inputs).tanh()).detach(); };
    check_refused(network, x, {"graph", "gradient", "detach"});
  }
  SECTION("inference mode around the call") {
    network.forward = [=](const Tensor& inputs) mutable { return b(a(inputs).tanh()); };
    const c10::InferenceMode inference;
    check_refused(network, x, {"inference"});
  }
  SECTION("inference mode in forward") {
    network.forward = [=](const Tensor& inputs) mutable {
      const c10::InferenceMode inference;
      return b(a(inputs).tanh());
    };
    check_refused(network, x, {"graph", "gradient", "inference"});
  }
}

TEST_CASE("threads on one network do not disturb each other", "[tangent_kernel][threads]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 6)), b = network.part("b", nn::Linear(6, 5)),
             o = network.part("o", nn::Linear(5, 3));
  network.forward = [=](const Tensor& x) mutable { return o(b(a(x).tanh()).tanh()); };
  const Tensor x = normal({6, 4}), jacobian = network.jacobian(x);
  const std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> parts{
      {"a", {0, 30}}, {"b", {30, 65}}, {"o", {65, 83}}};
  const auto wrong = [&](const std::string& name, std::pair<int64_t, int64_t> columns) {
    const NetworkFunction function = network.function().restricted({name});
    const Tensor part = jacobian.slice(1, columns.first, columns.second), expected = part.mm(part.t());
    const Tensor v = torch::ones({part.size(1)}, torch::kDouble);
    int count = 0;
    for (int i = 0; i < 40; ++i) {
      for (const auto route : {KernelRoute::automatic, KernelRoute::rows})
        count +=
            !torch::allclose(tangent_kernel(function, x, {.route = route}).matrix, expected, 1e-9, 1e-12);
      count += !torch::allclose(Jacobian(function, x).apply(v), part.mv(v), 1e-9, 1e-12);
      const Tensor u = torch::ones({part.size(0)}, torch::kDouble);
      count += !torch::allclose(Jacobian(function, x).apply_transposed(u), part.t().mv(u), 1e-9, 1e-12);
    }
    return count;
  };
  std::vector<int> counts(parts.size() + 1, -1);
  std::vector<std::string> errors(counts.size());
  std::vector<std::thread> threads;
  for (size_t t = 0; t < counts.size(); ++t)
    threads.emplace_back([&, t] {
      try {
        const auto& [name, columns] = parts[t % parts.size()];
        counts[t] = wrong(name, columns);
      } catch (const std::exception& error) {
        errors[t] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) CHECK(error == "");
  for (const int count : counts) CHECK(count == 0);
  for (const Tensor& parameter : network.module->parameters()) CHECK(parameter.requires_grad());
}

TEST_CASE("a frozen parameter requires a gradient while any function differentiates by it",
          "[tangent_kernel][threads]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(2, 2));
  network.forward = [=](const Tensor& x) mutable { return a(x); };
  a->bias.set_requires_grad(false);
  const NetworkFunction function = network.function().restricted({"a.bias"});
  auto first = std::make_unique<NetworkFunction::Differentiation>(function);
  auto second = std::make_unique<NetworkFunction::Differentiation>(function);
  CHECK(network.function().names() == std::vector<std::string>{"a.weight"});
  second.reset();
  CHECK(a->bias.requires_grad());
  first.reset();
  CHECK_FALSE(a->bias.requires_grad());
}
