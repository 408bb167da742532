// Oracle: each example alone, one backward pass for each output; <u, J v> = <J^T u, v>.
#include <cmath>

#include "support/case_network.hpp"
#include "support/catch.hpp"
#include "tangent_kernel/per_example_jacobian.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using test::CaseNetwork;
using test::check_kernels;
using test::check_products;
using test::normal;

namespace {

namespace nn = torch::nn;

}  // namespace

TEST_CASE("parameters that are views of other memory have products", "[tangent_kernel][products]") {
  CaseNetwork network;
  SECTION("a slice, viewed") {
    Tensor w = network.parameter("w", normal({20}).slice(0, 2, 14).view({3, 4}));
    network.forward = [=](const Tensor& x) { return x.mm(w).tanh(); };
  }
  SECTION("transposed") {
    Tensor w = network.parameter("w", normal({4, 3}).t());
    network.forward = [=](const Tensor& x) { return x.mm(w).tanh(); };
  }
  SECTION("expanded") {
    Tensor w = network.parameter("w", normal({1, 4}).expand({3, 4}));
    network.forward = [=](const Tensor& x) { return x.mm(w).tanh(); };
  }
  SECTION("one flat buffer for all") {
    const Tensor buffer = normal({30});
    Tensor w = network.parameter("w", buffer.slice(0, 0, 12).view({3, 4})),
           b = network.parameter("b", buffer.slice(0, 12, 16)),
           v = network.parameter("v", buffer.slice(0, 16, 24).view({4, 2}));
    network.forward = [=](const Tensor& x) { return torch::addmm(b, x, w).tanh().mm(v); };
  }
  SECTION("every second column") {
    Tensor w = network.parameter("w", normal({3, 8}).slice(1, 0, 8, 2));
    network.forward = [=](const Tensor& x) { return x.mm(w).tanh(); };
  }
  SECTION("selected, and of no axis") {
    const Tensor buffer = normal({2, 3, 4});
    Tensor w = network.parameter("w", buffer.select(0, 1)), s = network.parameter("s", buffer[0][1][2]);
    network.forward = [=](const Tensor& x) { return x.mm(w).tanh() * s; };
  }
  check_products(network, normal({4, 3}));
  check_kernels(network, normal({4, 3}));
}

TEST_CASE("sparse gradients of embeddings are as dense ones", "[tangent_kernel][products]") {
  CaseNetwork network;
  const Tensor tokens = torch::tensor({1, 2, 2, 0, 4, 1, 3, 3, 3}).view({3, 3});
  bool may_refuse = false;
  SECTION("Embedding") {
    nn::Embedding table = network.part("table", nn::Embedding(nn::EmbeddingOptions(5, 4).sparse(true)));
    nn::Linear out = network.part("out", nn::Linear(4, 2));
    network.forward = [=](const Tensor& x) mutable { return out(table(x).tanh().mean(1)); };
  }
  SECTION("EmbeddingBag") {
    nn::EmbeddingBag bag =
        network.part("bag", nn::EmbeddingBag(nn::EmbeddingBagOptions(5, 4).mode(torch::kSum).sparse(true)));
    nn::Linear out = network.part("out", nn::Linear(4, 2));
    network.forward = [=](const Tensor& x) mutable { return out(bag(x).tanh()); };
    may_refuse = true;  // newer LibTorch has no second derivative of it, and none in forward mode
  }
  SECTION("Embedding tied to the output") {
    nn::Embedding table = network.part("table", nn::Embedding(nn::EmbeddingOptions(5, 4).sparse(true)));
    Tensor mixed = network.parameter("mixed", {4, 4});
    network.forward = [=](const Tensor& x) mutable {
      return table(x).mean(1).mm(mixed).tanh().mm(torch::embedding(table->weight, torch::arange(2)).t());
    };
  }
  check_kernels(network, tokens);
  check_products(network, tokens, 1e-10, may_refuse);
}

TEST_CASE("gradients that the batch scales do not hide in a part of small share",
          "[tangent_kernel][products]") {
  torch::manual_seed(3);
  nn::ModuleList parts;
  nn::Embedding table(nn::EmbeddingOptions(5, 4).scale_grad_by_freq(true));
  nn::Linear first(3, 4), out(4, 2);
  parts->push_back(table);
  parts->push_back(first);
  parts->push_back(out);
  const Tensor tokens = torch::tensor({1, 2, 2, 0, 1, 1});
  const auto forward = [=](const Tensor& x) mutable {
    return out(first(x.slice(1, 0, 3)).tanh() + 1e-6 * table(x.select(1, 3).to(torch::kLong)).tanh());
  };
  const Tensor x = torch::cat({torch::randn({6, 3}), tokens.to(torch::kFloat).unsqueeze(1)}, 1);
  const Tensor u = torch::randn({12});
  const NetworkFunction function(*parts, forward);
  const Tensor expected =
      test::per_example_jacobian(forward, function.parameters(), x).t().mv(u.to(torch::kDouble));
  const Tensor found = Jacobian(function, x).apply_transposed(u).to(torch::kDouble);
  const Tensor of_table = expected.slice(0, 0, 20);
  CHECK((found.slice(0, 0, 20) - of_table).norm().item<double>() < 1e-4 * of_table.norm().item<double>());
}

TEST_CASE("a row of an embedding that gradients skip is skipped by J v, or J v is refused",
          "[tangent_kernel][products]") {
  CaseNetwork network;
  const Tensor tokens = torch::tensor({1, 2, 2, 0, 4, 1, 3, 2, 3}).view({3, 3});
  nn::Linear out = network.part("out", nn::Linear(4, 2));
  SECTION("Embedding") {
    nn::Embedding table = network.part("table", nn::Embedding(nn::EmbeddingOptions(5, 4).padding_idx(2)));
    const torch::NoGradGuard no_graph;
    table->weight.copy_(normal({5, 4}));
    network.forward = [=](const Tensor& x) mutable { return out(table(x).tanh().mean(1)); };
  }
  SECTION("functional, last row") {
    Tensor w = network.parameter("w", {5, 4});
    network.forward = [=](const Tensor& x) mutable { return out(torch::embedding(w, x, 4).tanh().mean(1)); };
  }
  SECTION("one table, with and without") {
    Tensor w = network.parameter("w", {5, 4});
    network.forward = [=](const Tensor& x) mutable {
      return out((torch::embedding(w, x, 3) + torch::embedding(w, x.flip(1))).tanh().mean(1));
    };
  }
  check_kernels(network, tokens);
  check_products(network, tokens, 1e-10, /*may_refuse=*/true);
}

TEST_CASE("hooks that change gradients change J v as well, or it is refused", "[tangent_kernel][products]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(3, 4)), o = network.part("o", nn::Linear(4, 2));
  network.forward = [=](const Tensor& x) mutable { return o(a(x).tanh()); };
  SECTION("of a parameter") {
    a->weight.register_hook([](const Tensor& gradient) { return gradient * 2; });
  }
  SECTION("of a parameter, masked") {
    const Tensor mask = (torch::rand({4, 3}) > 0.5).to(torch::kDouble);
    a->weight.register_hook([=](const Tensor& gradient) { return gradient * mask; });
  }
  SECTION("of an activation") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x).tanh();
      if (h.requires_grad()) h.register_hook([](const Tensor& gradient) { return gradient * 0.5; });
      return o(h);
    };
  }
  const Tensor x = normal({4, 3});
  const Jacobian jacobian(network.function(), x);
  const Tensor v = normal({jacobian.columns()}), u = normal({jacobian.rows()});
  try {
    const double left = torch::dot(u, jacobian.apply(v)).item<double>();
    const double right = torch::dot(jacobian.apply_transposed(u), v).item<double>();
    CHECK(std::abs(left - right) < 1e-10 * std::abs(left));
  } catch (const Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring("hook"));
  }
}

TEST_CASE("what runs under no_grad is constant for every product", "[tangent_kernel][products]") {
  CaseNetwork network;
  double tolerance = 1e-10;
  nn::Linear a = network.part("a", nn::Linear(6, 8)), b = network.part("b", nn::Linear(8, 3));
  SECTION("a norm") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x).tanh();
      Tensor size;
      {
        const torch::NoGradGuard no_graph;
        size = h.norm(2, 1, true);
      }
      return b(h / size);
    };
  }
  SECTION("a gate") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x).tanh();
      Tensor gate;
      {
        const torch::NoGradGuard no_graph;
        gate = a(2 * x).sigmoid();
      }
      return b(h * gate);
    };
  }
  SECTION("a norm of a weight") {
    network.forward = [=](const Tensor& x) mutable {
      Tensor size;
      {
        const at::AutoGradMode off(false);
        size = a->weight.norm();
      }
      return b(torch::linear(x, a->weight / size, a->bias).tanh());
    };
  }
  SECTION("a branch of small share") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x).tanh();
      Tensor size;
      {
        const torch::NoGradGuard no_graph;
        size = h.norm(2, 1, true);
      }
      return b(h) + 1e-11 * b(h / size);
    };
    tolerance = 1e-13;  // <u, J v> = <J' u, v> is not held to that
  }
  SECTION("data()") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x);
      return b(h * h.data().sigmoid());
    };
  }
  check_products(network, normal({5, 6}), tolerance);
  check_kernels(network, normal({5, 6}));
}

TEST_CASE("derivatives that are not finite are errors, not numbers", "[tangent_kernel][products]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(3, 4)), b = network.part("b", nn::Linear(4, 2));
  SECTION("the root of a relu") {
    network.forward = [=](const Tensor& x) mutable { return b(torch::relu(a(x)).sqrt()); };
  }
  SECTION("a power of a relu") {
    network.forward = [=](const Tensor& x) mutable { return b(torch::relu(a(x)).pow(0.3)); };
  }
  SECTION("the root of a sum of relus") {
    network.forward = [=](const Tensor& x) mutable {
      return b(torch::relu(a(x) - 100).sum(1, true).sqrt() + a(x));
    };
  }
  const Tensor x = normal({6, 3});
  const NetworkFunction function = network.function();
  const auto finite_or_error = [](const std::string& call, const std::function<Tensor()>& made) {
    INFO(call);
    try {
      const Tensor found = made();
      CHECK(found.isfinite().all().item<bool>());
    } catch (const Error& error) {
      CHECK_THAT(error.what(), ContainsSubstring("finite") || ContainsSubstring("nan"));
    }
  };
  const Tensor v = normal({function.parameter_count()}), u = normal({12});
  finite_or_error("J v", [&] { return Jacobian(function, x).apply(v); });
  finite_or_error("J^T u", [&] { return Jacobian(function, x).apply_transposed(u); });
  finite_or_error("J", [&] { return Jacobian(function, x).dense(); });
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured})
    finite_or_error("kernel", [&] { return tangent_kernel(function, x, {.route = route}).matrix; });
}

TEST_CASE("products that overflow are errors, not infinities", "[tangent_kernel][products]") {
  torch::manual_seed(5);
  nn::Linear linear(40, 2);
  const NetworkFunction function(*linear, [=](const Tensor& x) mutable { return linear(x); });
  const Jacobian jacobian(function, torch::ones({30, 40}));
  CHECK_THROWS_WITH(jacobian.apply(torch::full({82}, 1e38F)), ContainsSubstring("J v is not finite"));
  CHECK_THROWS_WITH(jacobian.apply_transposed(torch::full({60}, 1e38F)),
                    ContainsSubstring("J' u is not finite"));
  CHECK(jacobian.apply(torch::full({82}, 1e30F)).isfinite().all().item<bool>());
}

namespace {

/// The identity, whose derivative is half in a batch of several examples: an operator that LibTorch
/// differentiates wrongly there.
struct HalvedInBatches : torch::autograd::Function<HalvedInBatches> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x) {
    context->saved_data["several"] = x.size(0) > 1;
    return x.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    return {context->saved_data["several"].toBool() ? gradients[0] / 2 : gradients[0]};
  }
};

}  // namespace

TEST_CASE("what LibTorch differentiates wrongly in batches goes example by example",
          "[tangent_kernel][products]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 5)), b = network.part("b", nn::Linear(5, 2));
  network.forward = [=](const Tensor& x) mutable { return b(HalvedInBatches::apply(a(x).tanh())); };
  check_kernels(network, normal({6, 4}));
  const Tensor inputs = normal({6, 4});
  const TangentKernel kernel = tangent_kernel(network.function(), inputs);
  CHECK(kernel.route.starts_with("rows"));
  REQUIRE_FALSE(kernel.notes.empty());
  CHECK_THAT(kernel.notes.front(), ContainsSubstring("in the batch are not those of the example alone"));
  CHECK_THROWS_WITH(tangent_kernel(network.function(), inputs, {.route = KernelRoute::structured}),
                    ContainsSubstring("in the batch are not those of the example alone"));
  const Jacobian jacobian(network.function(), inputs);
  CHECK((jacobian.dense().to(torch::kDouble) - network.jacobian(inputs)).abs().max().item<double>() < 1e-5);
}

TEST_CASE("batch normalization by a slice of a parameter has the derivatives of its numbers",
          "[tangent_kernel][products]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 4)), b = network.part("b", nn::Linear(4, 2));
  Tensor w = network.parameter("w", normal({4, 2}).select(1, 0));
  const Tensor mean = normal({4, 2}).select(1, 1), variance = normal({4}).abs() + 0.5;
  network.forward = [=](const Tensor& x) mutable {
    return b(torch::batch_norm(a(x).tanh(), w, {}, mean, variance, false, 0.1, 1e-5, false).tanh());
  };
  check_products(network, normal({6, 4}));
  check_kernels(network, normal({6, 4}));
}

TEST_CASE("a J v that is not the transposed of J' u is not accepted by a lucky vector",
          "[tangent_kernel][products]") {
  CaseNetwork network;
  const Tensor tokens = torch::tensor({1, 1, 2, 0, 4, 4, 3, 3, 3}).view({3, 3});
  Tensor v = network.parameter("v", normal({5, 2})), w = network.parameter("w", normal({5, 2}));
  // Gradients of w are divided by how often a token occurs, which is the rule of no derivative. Their share of J' u is
  // such that one random u in fifty would not notice.
  network.forward = [=](const Tensor& x) {
    return torch::embedding(v, x).tanh().sum(1) +
           5e-14 * torch::embedding(w, x, -1, /*scale_grad_by_freq=*/true).sum(1);
  };
  const NetworkFunction function = network.function();
  int accepted = 0;
  for (int i = 0; i < 400; ++i) {
    try {
      Jacobian(function, tokens).apply(torch::ones({20}, torch::kDouble));
      ++accepted;
    } catch (const Error&) {
    }
  }
  CHECK(accepted == 0);
}
