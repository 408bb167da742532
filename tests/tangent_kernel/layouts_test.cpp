// Oracle: each example alone, one backward pass for each output.
#include "support/case_network.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;
using test::CaseNetwork;
using test::check_kernels;
using test::check_products;
using test::normal;

namespace {

namespace nn = torch::nn;

}  // namespace

TEST_CASE("a small branch through transpose(0, -2), which transposes no matrix, is right",
          "[tangent_kernel][layouts]") {
  CaseNetwork network;
  const auto single = [](at::IntArrayRef sizes) { return torch::randn(sizes); };
  nn::Linear big(8, 3);
  network.module->register_module("big", big);
  Tensor w = network.parameter("w", single({8, 8}) * 0.4), o = network.parameter("o", single({8, 3}) * 0.4);
  network.forward = [=](const Tensor& x) mutable {
    return big(x) * 3 + 0.01 * x.mm(w.transpose(0, -2)).tanh().tanh().mm(w).mm(o.detach());
  };
  check_kernels(network, torch::randn({6, 8}), {}, 2e-4);
}

TEST_CASE("transposes and permutations that leave a matrix as it is, or do not, are told apart",
          "[tangent_kernel][layouts]") {
  using Turn = Tensor (*)(const Tensor&);
  const std::vector<Turn> turns{[](const Tensor& w) { return w.transpose(0, -2); },
                                [](const Tensor& w) { return w.transpose(1, -1); },
                                [](const Tensor& w) { return w.transpose(-1, -2); },
                                [](const Tensor& w) { return w.transpose(1, 0); },
                                [](const Tensor& w) {
                                  return w.permute({0, 1});
                                },
                                [](const Tensor& w) {
                                  return w.permute({-1, 0});
                                },
                                [](const Tensor& w) { return w.t().transpose(0, 1); },
                                [](const Tensor& w) { return w.swapaxes(0, -1); },
                                [](const Tensor& w) { return w.unsqueeze(0).transpose(1, 2).squeeze(0); }};
  for (size_t i = 0; i < turns.size(); ++i) {
    INFO("turn " << i);
    const int64_t size = 5;
    CaseNetwork network(i);
    Tensor w = network.parameter("w", {size, size}), v = network.parameter("v", {size, 2});
    network.forward = [=, turn = turns[i]](const Tensor& x) {
      return x.mm(turn(w)).tanh().mm(v) + 1e-3 * x.mm(w).mm(v);
    };
    check_kernels(network, normal({4, size}));
    check_products(network, normal({size, size}));
  }
}

TEST_CASE("a sequence-first layer of which one token is read is right for every number of examples",
          "[tangent_kernel][layouts]") {
  for (const int64_t n : {1, 2, 3, 5}) {
    INFO("n = t = " << n);
    CaseNetwork network(static_cast<uint64_t>(n));
    nn::MultiheadAttention attention = network.part("attention", nn::MultiheadAttention(4, 2));
    nn::Linear out = network.part("out", nn::Linear(4, 2));
    network.forward = [=](const Tensor& x) mutable {
      const Tensor q = x.transpose(0, 1);
      return out(std::get<0>(attention(q, q, q))[n / 2]);
    };
    const Tensor x = normal({n, n, 4});
    check_kernels(network, x);
    check_kernels(network, x, x.slice(0, 0, std::max<int64_t>(1, n - 1)).clone());
    check_products(network, x);
  }
}

TEST_CASE(
    "linear layers of sequence-first tokens, one of which is read, are right for n = t, n < t and n > t",
    "[tangent_kernel][layouts]") {
  for (const int64_t n : {2, 3, 4}) {
    for (const bool flat : {false, true}) {
      INFO("n = " << n << ", flat " << flat);
      CaseNetwork network(7);
      Tensor w = network.parameter("w", {4, 4}), p = network.parameter("p", {3, 1, 4});
      nn::Linear out = network.part("out", nn::Linear(4, 2));
      network.forward = [=](const Tensor& x) mutable {
        const Tensor s = x.transpose(0, 1) + p;
        const Tensor h = flat ? s.reshape({-1, 4}).mm(w).view({3, x.size(0), 4}) : s.matmul(w);
        return out(h.tanh()[1]);
      };
      const Tensor x = normal({n, 3, 4});
      check_kernels(network, x);
      check_kernels(network, x, normal({3, 3, 4}));
    }
  }
}

TEST_CASE("a recurrent layer of sequences, read at one token, is right for n = t",
          "[tangent_kernel][layouts]") {
  CaseNetwork network;
  nn::GRU gru = network.part("gru", nn::GRU(nn::GRUOptions(3, 4)));
  nn::TransformerEncoderLayer encoder = network.part(
      "encoder",
      nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(4, 2).dim_feedforward(5).dropout(0)));
  network.forward = [=](const Tensor& x) mutable {
    return encoder(std::get<0>(gru(x.transpose(0, 1))))[0].slice(1, 0, 2);
  };
  for (const int64_t n : {2, 3, 4}) {
    check_kernels(network, normal({n, 3, 3}), {}, 1e-9);
    check_kernels(network, normal({n, 3, 3}), normal({3, 3, 3}), 1e-9);
  }
}

TEST_CASE("products of parameters with as many rows as examples are no examples",
          "[tangent_kernel][layouts]") {
  const int64_t n = 4;
  CaseNetwork network;
  SECTION("low-rank factors") {
    Tensor a = network.parameter("a", {n, 2}), b = network.parameter("b", {2, 3});
    network.forward = [=](const Tensor& x) { return x.mm(a.mm(b).tanh()).sin(); };
  }
  SECTION("three factors, each of n rows") {
    Tensor a = network.parameter("a", {n, n}), b = network.parameter("b", {n, n}),
           c = network.parameter("c", {n, 2});
    network.forward = [=](const Tensor& x) { return x.mm(a.mm(b).mm(c)); };
  }
  SECTION("a layer on a fixed grid") {
    nn::Linear trunk = network.part("trunk", nn::Linear(2, n));
    const Tensor grid = normal({n, 2});
    network.forward = [=](const Tensor& x) mutable { return x.mm(trunk(grid).tanh().t()); };
  }
  SECTION("learned queries through a layer") {
    Tensor q = network.parameter("q", {n, 3});
    nn::Linear keys = network.part("keys", nn::Linear(3, n));
    network.forward = [=](const Tensor& x) mutable { return torch::softmax(x.mm(keys(q)), 1); };
  }
  SECTION("a hypernetwork of one code a row") {
    nn::Linear hyper = network.part("hyper", nn::Linear(3, 2));
    Tensor codes = network.parameter("codes", {n, 3});
    network.forward = [=](const Tensor& x) mutable { return x.mm(hyper(codes).tanh()).tanh(); };
  }
  SECTION("a product that adds to every example") {
    Tensor a = network.parameter("a", {1, 3}), b = network.parameter("b", {3, 2}),
           w = network.parameter("w", {n, 2});
    network.forward = [=](const Tensor& x) { return (x.mm(w) + a.mm(b)).tanh(); };
  }
  for (const int64_t examples : {n, n - 1, int64_t{1}}) {
    check_kernels(network, normal({examples, n}));
    check_kernels(network, normal({examples, n}), normal({n, n}));
    check_products(network, normal({examples, n}));
  }
}

TEST_CASE("hard mixtures of experts are right whatever experts get", "[tangent_kernel][layouts]") {
  CaseNetwork network;
  nn::Linear e0 = network.part("e0", nn::Linear(4, 2)), e1 = network.part("e1", nn::Linear(4, 2));
  SECTION("by index_add") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor a = (x.select(1, 0) > 0).nonzero().squeeze(1),
                   b = (x.select(1, 0) <= 0).nonzero().squeeze(1);
      Tensor out = torch::zeros({x.size(0), 2}, x.options());
      if (a.numel() > 0) out = out.index_add(0, a, e0(x.index_select(0, a)));
      if (b.numel() > 0) out = out.index_add(0, b, e1(x.index_select(0, b)));
      return out;
    };
  }
  SECTION("by index_put") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor mask = x.select(1, 0) > 0;
      Tensor out = torch::zeros({x.size(0), 2}, x.options());
      if (mask.any().item<bool>()) out.index_put_({mask}, e0(x.index({mask})).tanh());
      if (!mask.all().item<bool>()) out.index_put_({~mask}, e1(x.index({~mask})).tanh());
      return out;
    };
  }
  SECTION("by sorting") {
    network.forward = [=](const Tensor& x) mutable {
      const Tensor order = x.select(1, 0).argsort();
      const Tensor sorted = x.index_select(0, order);
      const int64_t below = (x.select(1, 0) <= 0).sum().item<int64_t>();
      const Tensor out = torch::cat({e0(sorted.slice(0, 0, below)), e1(sorted.slice(0, below)).sin()}, 0);
      return out.index_select(0, order.argsort());
    };
  }
  Tensor x = normal({80, 4});
  x.select(1, 0).abs_();
  x[9][0] = -0.7;
  x[10][0] = -0.2;
  check_kernels(network, x, {}, 1e-9);
  check_kernels(network, x.slice(0, 0, 6));
  check_kernels(network, x.slice(0, 8, 12), x.slice(0, 0, 5));
  check_products(network, x.slice(0, 5, 15));
}

TEST_CASE("one function takes batches of other sizes, experts and weights in turn",
          "[tangent_kernel][layouts]") {
  CaseNetwork network;
  nn::Linear e0 = network.part("e0", nn::Linear(3, 2)), e1 = network.part("e1", nn::Linear(3, 2));
  network.forward = [=](const Tensor& x) mutable {
    const Tensor mask = x.select(1, 0) > 0;
    if (mask.all().item<bool>()) return e0(x).tanh();
    if (!mask.any().item<bool>()) return e1(x.flip(0)).flip(0);
    Tensor out = torch::zeros({x.size(0), 2}, x.options());
    out.index_put_({mask}, e0(x.index({mask})).tanh());
    return out.index_put({~mask}, e1(x.index({~mask})));
  };
  const NetworkFunction function = network.function();
  for (int i = 0; i < 12; ++i) {
    Tensor x = normal({2 + i % 4, 3});
    if (i % 3 == 1) x.select(1, 0).abs_();
    if (i % 3 == 2) x.select(1, 0).abs_().neg_();
    const Tensor jacobian = network.jacobian(x);
    CHECK(torch::allclose(tangent_kernel(function, x).matrix, jacobian.mm(jacobian.t()), 1e-10, 1e-12));
    const torch::NoGradGuard no_graph;
    for (Tensor& parameter : network.module->parameters()) parameter.mul_(1.1);
  }
}

TEST_CASE("parameters that enter through permute or expand are read from the graph",
          "[tangent_kernel][layouts]") {
  CaseNetwork network;
  SECTION("permute({1, 0})") {
    Tensor w = network.parameter("w", {3, 5});
    network.forward = [=](const Tensor& x) { return x.mm(w.permute({1, 0})).tanh(); };
  }
  SECTION("expand of a vector") {
    Tensor w = network.parameter("w", {5, 3}), b = network.parameter("b", {3});
    network.forward = [=](const Tensor& x) { return (x.mm(w) + b.expand({x.size(0), 3})).tanh(); };
  }
  SECTION("expand of a number") {
    Tensor w = network.parameter("w", {5, 3}), b = network.parameter("b", {1});
    network.forward = [=](const Tensor& x) { return (x.mm(w) + b.expand({3})).tanh(); };
  }
  check_kernels(network, normal({4, 5}));
  const auto kernel = tangent_kernel(network.function(), normal({4, 5}), {.route = KernelRoute::structured});
  INFO(test::notes_of(kernel));
  CHECK(kernel.notes.empty());
}

TEST_CASE("one of many layers that meets the examples in another order in later kernels is noticed there",
          "[tangent_kernel][layouts]") {
  CaseNetwork network;
  std::vector<nn::Linear> layers;
  for (int i = 0; i < 12; ++i) layers.push_back(network.part("layer" + std::to_string(i), nn::Linear(4, 3)));
  nn::Linear ordered = network.part("ordered", nn::Linear(4, 3));
  network.forward = [=](const Tensor& x) mutable {
    const Tensor order = x.select(1, 0).argsort();
    Tensor sum = 1e-6 * ordered(x.index_select(0, order)).tanh().index_select(0, order.argsort());
    for (nn::Linear& layer : layers) sum = sum + layer(x).tanh();
    return sum;
  };
  const NetworkFunction function = network.function();
  Tensor x = normal({5, 4});
  x.select(1, 0) = std::get<0>(x.select(1, 0).sort());
  tangent_kernel(function, x);
  tangent_kernel_by_parameter(function, x);
  for (int repetition = 0; repetition < 3; ++repetition) {
    const Tensor others = normal({5, 4});
    const Tensor rows = network.jacobian(others).slice(1, -15, -3);
    const ParameterKernels kernels = tangent_kernel_by_parameter(function, others);
    REQUIRE(kernels.names[24] == "ordered.weight");
    CHECK(torch::allclose(kernels.matrices[24], rows.mm(rows.t()), 1e-10, 0));
    CHECK_THAT(test::notes_of(tangent_kernel(function, others)), ContainsSubstring("ordered"));
  }
}
