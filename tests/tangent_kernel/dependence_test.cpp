// What has no tangent kernel: predictions that depend on other examples, or on chance.
#include "support/case_network.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using test::CaseNetwork;
using test::check_refused;
using test::normal;

namespace {

namespace nn = torch::nn;

/// o(mixed(tanh(a(x)))) for x (n, 4).
CaseNetwork mixing(std::function<Tensor(const Tensor&)> mixed, uint64_t seed = 0) {
  CaseNetwork network(seed);
  nn::Linear a = network.part("a", nn::Linear(4, 4)), o = network.part("o", nn::Linear(4, 2));
  network.forward = [=](const Tensor& x) mutable { return o(mixed(a(x).tanh())); };
  return network;
}

}  // namespace

TEST_CASE("a leak from one place in the batch to another is refused", "[tangent_kernel][dependence]") {
  struct Leak {
    int64_t n, to, from;
    double share;
    bool detached;
  };
  for (const Leak leak : {Leak{64, 9, 8, 0.5, false}, Leak{64, 9, 8, 0.5, true}, Leak{2, 1, 0, 0.3, false},
                          Leak{2, 1, 0, 1e-4, true}, Leak{7, 6, 2, 1e-3, false}, Leak{40, 39, 0, 1e-4, true},
                          Leak{5, 0, 4, 1e-2, false}}) {
    INFO("example " << leak.to << " takes " << leak.share << " of example " << leak.from << " of " << leak.n);
    CaseNetwork network;
    nn::Linear a = network.part("a", nn::Linear(4, 4)), o = network.part("o", nn::Linear(4, 2));
    network.forward = [=](const Tensor& x) mutable {
      const Tensor y = o(a(x).tanh());
      if (x.size(0) <= std::max(leak.to, leak.from)) return y;
      Tensor out = y.clone();
      const Tensor part = leak.share * y[leak.from];
      out[leak.to] += leak.detached ? part.detach() : part;
      return out;
    };
    check_refused(network, normal({leak.n, 4}), {"depends on"});
  }
}

TEST_CASE("statistics of the batch are refused, detached or not", "[tangent_kernel][dependence]") {
  using Mix = Tensor (*)(const Tensor&);
  const std::vector<std::pair<const char*, Mix>> mixes{
      {"centred", [](const Tensor& h) { return h - h.mean(0, true); }},
      {"centred by a detached mean", [](const Tensor& h) { return h - h.detach().mean(0, true); }},
      {"absmax", [](const Tensor& h) { return h / h.detach().abs().max(); }},
      {"quantized",
       [](const Tensor& h) {
         const Tensor step = h.detach().abs().max() / 127;
         return h + ((h / step).round() * step - h).detach();
       }},
      {"cumsum over the batch", [](const Tensor& h) { return h.cumsum(0); }},
      {"rolled", [](const Tensor& h) { return h + 1e-3 * h.roll(1, 0); }},
      {"softmax over the batch", [](const Tensor& h) { return torch::softmax(h, 0); }},
      {"functional batch norm",
       [](const Tensor& h) { return torch::batch_norm(h, {}, {}, {}, {}, true, 0.1, 1e-5, false); }},
      {"sorted", [](const Tensor& h) { return std::get<0>(h.sort(0)); }}};
  for (const auto& [name, mix] : mixes) {
    INFO(name);
    for (const int64_t n : {2, 5, 12})
      check_refused(mixing(mix), normal({n, 4}), {"depend", "couple", "example"});
  }
}

TEST_CASE("a division by the number of examples is refused", "[tangent_kernel][dependence]") {
  for (const int64_t n : {2, 3, 5, 12})
    check_refused(mixing([](const Tensor& h) { return h / static_cast<double>(h.size(0)); }), normal({n, 4}),
                  {"number"});
}

TEST_CASE("functional batch norm in training mode is said to couple examples",
          "[tangent_kernel][dependence]") {
  CaseNetwork network;
  SECTION("of features") {
    nn::Linear a = network.part("a", nn::Linear(3, 4));
    network.forward = [=](const Tensor& x) mutable {
      return torch::batch_norm(a(x), {}, {}, {}, {}, true, 0.1, 1e-5, false);
    };
    check_refused(network, normal({5, 3}), {"couples", "depends"});
  }
  SECTION("of images") {
    nn::Conv2d a = network.part("a", nn::Conv2d(2, 3, 3));
    network.forward = [=](const Tensor& x) mutable {
      return torch::batch_norm(a(x), {}, {}, {}, {}, true, 0.1, 1e-5, false).mean({2, 3});
    };
    check_refused(network, normal({3, 2, 4, 4}), {"couples", "depends"});
  }
  SECTION("with running statistics") {
    nn::Linear a = network.part("a", nn::Linear(3, 4));
    Tensor mean = torch::zeros({4}, torch::kDouble), variance = torch::ones({4}, torch::kDouble);
    network.forward = [=](const Tensor& x) mutable {
      return torch::batch_norm(a(x), {}, {}, mean, variance, true, 0.1, 1e-5, false);
    };
    check_refused(network, normal({5, 3}), {"couples", "depends", "random", "change"});
  }
}

TEST_CASE("derivatives that couple examples whose predictions do not are refused",
          "[tangent_kernel][dependence]") {
  using Other = Tensor (*)(const Tensor&);
  const std::vector<Other> others{[](const Tensor& h) { return h.mean(0, true); },
                                  [](const Tensor& h) { return h.roll(1, 0); },
                                  [](const Tensor& h) { return h.flip(0); }};
  for (const Other other : others) {
    const CaseNetwork network = mixing([other](const Tensor& h) {
      const Tensor foreign = 0.3 * other(h);
      return h + (foreign - foreign.detach());
    });
    for (const int64_t n : {2, 5, 70}) check_refused(network, normal({n, 4}), {"couples"});
  }
}

TEST_CASE("what a batch decides for all of its examples alike is found", "[tangent_kernel][dependence]") {
  CaseNetwork network;
  nn::Linear a = network.part("a", nn::Linear(4, 4)), o = network.part("o", nn::Linear(4, 2));
  const int64_t n = GENERATE(20, 60, 200);
  // One example alone has a negative sum; every large company has a positive one.
  const Tensor x = normal({n, 4}).abs();
  x[7].neg_();
  network.forward = [=](const Tensor& inputs) mutable {
    const Tensor h = a(inputs).tanh();
    return inputs.sum().item<double>() > 0 ? o(h) : o(2 * h);
  };
  check_refused(network, x, {"couples", "example 7"});
}

TEST_CASE("what a later batch of the same size decides for its examples is found",
          "[tangent_kernel][dependence]") {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    CaseNetwork network(seed);
    nn::Linear a = network.part("a", nn::Linear(3, 4)), o = network.part("o", nn::Linear(4, 2)),
               b = network.part("b", nn::Linear(4, 2));
    network.forward = [=](const Tensor& x) mutable {
      const Tensor h = a(x).tanh();
      return x.sum().item<double>() > 0 ? o(h) + 0.1 * b(h) : o(h);
    };
    const NetworkFunction function = network.function();
    const Tensor positive = normal({5, 3}).abs() + 1;
    tangent_kernel(function, positive);  // alone, too, every example goes through both branches
    Tensor mixed = positive.clone();
    mixed[static_cast<int64_t>(seed % 5)] = -0.1;  // in company the sum stays positive, alone it does not
    CHECK_THROWS_WITH(tangent_kernel(function, mixed), ContainsSubstring("depend"));
    CHECK_THROWS_WITH(tangent_kernel(function, positive, mixed), ContainsSubstring("depend"));
  }
}

TEST_CASE("a network that draws random numbers is refused in every call", "[tangent_kernel][dependence]") {
  using Mix = Tensor (*)(const Tensor&);
  const std::vector<std::pair<const char*, Mix>> mixes{
      {"drop path",
       [](const Tensor& h) {
         return h * ((torch::rand({h.size(0), 1}, h.options()) > 0.1).to(h.scalar_type()) / 0.9);
       }},
      {"functional dropout", [](const Tensor& h) { return torch::dropout(h, 0.05, true); }},
      {"small noise", [](const Tensor& h) { return h + 1e-6 * torch::randn_like(h); }},
      {"a drawn number that is not used",
       [](const Tensor& h) { return h + 0 * torch::rand({1}, h.options()); }}};
  for (const auto& [name, mix] : mixes) {
    INFO(name);
    const CaseNetwork network = mixing(mix);
    const NetworkFunction function = network.function();
    const Tensor x = normal({32, 4});
    for (int i = 0; i < 40; ++i) CHECK_THROWS_WITH(tangent_kernel(function, x), ContainsSubstring("random"));
    check_refused(network, x.slice(0, 0, 5), {"random"});
  }
}

TEST_CASE("noise in some calls is refused in the calls that drew", "[tangent_kernel][dependence]") {
  for (const double share : {0.05, 0.3}) {
    CaseNetwork network;
    nn::Linear a = network.part("a", nn::Linear(4, 4)), o = network.part("o", nn::Linear(4, 2));
    int drawn = 0;
    bool quiet = true;
    network.forward = [&, a, o](const Tensor& x) mutable {
      Tensor h = a(x).tanh();
      if (quiet || static_cast<double>(std::rand()) > share * RAND_MAX) return o(h);
      ++drawn;
      return o(h + h * torch::rand({1}, h.options()));
    };
    const NetworkFunction function = network.function();
    const Tensor x = normal({6, 4}), jacobian = network.jacobian(x);
    const Tensor expected = jacobian.mm(jacobian.t());
    quiet = false;
    int refused = 0, right = 0;
    for (int i = 0; i < 60; ++i) {
      const int before = drawn;
      try {
        const Tensor found = tangent_kernel(function, x).matrix;
        CHECK(drawn == before);
        CHECK(torch::allclose(found, expected, 1e-10, 1e-12));
        ++right;
      } catch (const Error& error) {
        CHECK(drawn > before);
        ++refused;
      }
    }
    CHECK(refused > 0);
    CHECK(right > 0);
  }
}

TEST_CASE("a network whose numbers drift from call to call is refused", "[tangent_kernel][dependence]") {
  double scale = 1;
  const CaseNetwork network = mixing([&](const Tensor& h) { return h * (scale *= 1.001); });
  check_refused(network, normal({5, 4}), {"change", "random"});
}
