// Oracle: the moments and bounds of the stated distributions. Moments are tested at 6 standard errors, so a
// right implementation fails one check with probability 2e-9; the seeds are fixed.
#include "plumb/models/initialization.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <ATen/CPUGeneratorImpl.h>

#include "plumb/core/random.hpp"
#include "plumb/models/construct.hpp"

using plumb::Initialization;

namespace {
struct Layers : torch::nn::Module {
  torch::nn::Conv2d convolution{register_module("convolution", torch::nn::Conv2d(40, 60, 5))};
  torch::nn::BatchNorm2d norm{register_module("norm", torch::nn::BatchNorm2d(60))};
  torch::nn::Linear linear{register_module("linear", torch::nn::Linear(300, 200))};
};

std::shared_ptr<Layers> drawn(Initialization kind, uint64_t seed = 3) {
  auto layers = plumb::construct<Layers>();
  layers->to(at::kDouble);
  {
    const torch::NoGradGuard no_grad;
    layers->norm->weight.fill_(5);
    layers->norm->bias.fill_(5);
  }
  at::Generator generator = plumb::Seed(seed).stream("weights");
  plumb::initialize(*layers, kind, generator);
  return layers;
}

// `fourth`: E x^4 / (E x^2)^2, 3 for normal and 9/5 for uniform values.
void check_moments(const at::Tensor& weight, double variance, double fourth) {
  const auto count = static_cast<double>(weight.numel());
  CHECK(std::abs(weight.mean().item<double>()) < 6 * std::sqrt(variance / count));
  const double error = std::sqrt((fourth - 1) / count) * variance;
  CHECK(std::abs(weight.square().mean().item<double>() - variance) < 6 * error);
  const double kurtosis = weight.pow(4).mean().item<double>() / (variance * variance);
  // The deviation of the mean of x^4 is sqrt((E x^8 - (E x^4)^2)/count): sqrt(96) for normal, sqrt(9 - 81/25)
  // for uniform.
  CHECK(std::abs(kurtosis - fourth) < 6 * std::sqrt((fourth > 2 ? 96 : 5.76) / count));
}
}  // namespace

TEST_CASE("initial weights have the stated variance and shape", "[models][initialization]") {
  SECTION("he_normal") {
    const auto layers = drawn(Initialization::he_normal);
    check_moments(layers->convolution->weight, 2.0 / 1000, 3);
    check_moments(layers->linear->weight, 2.0 / 300, 3);
    CHECK(layers->linear->bias.eq(0).all().item<bool>());
    CHECK(layers->convolution->bias.eq(0).all().item<bool>());
  }
  SECTION("lecun_normal") {
    check_moments(drawn(Initialization::lecun_normal)->linear->weight, 1.0 / 300, 3);
    check_moments(drawn(Initialization::lecun_normal)->convolution->weight, 1.0 / 1000, 3);
  }
  SECTION("glorot_uniform") {
    const auto layers = drawn(Initialization::glorot_uniform);
    check_moments(layers->convolution->weight, 2.0 / (1000 + 1500), 9.0 / 5);
    check_moments(layers->linear->weight, 2.0 / (300 + 200), 9.0 / 5);
    CHECK(layers->linear->weight.abs().max().item<double>() <= std::sqrt(6.0 / 500));
  }
  SECTION("torch") {
    const auto layers = drawn(Initialization::torch);
    check_moments(layers->convolution->weight, 1.0 / 3000, 9.0 / 5);
    check_moments(layers->linear->weight, 1.0 / 900, 9.0 / 5);
    CHECK(layers->linear->bias.abs().max().item<double>() <= std::sqrt(1.0 / 300));
    CHECK(layers->linear->bias.abs().max().item<double>() >
          0.9 * std::sqrt(1.0 / 300));  // fails with 0.9^200
  }
}

TEST_CASE("normalization layers begin with scale 1 and shift 0", "[models][initialization]") {
  const auto layers = drawn(Initialization::torch);
  CHECK(layers->norm->weight.eq(1).all().item<bool>());
  CHECK(layers->norm->bias.eq(0).all().item<bool>());
}

TEST_CASE("one generator state gives one set of weights, another state another", "[models][initialization]") {
  const auto one = drawn(Initialization::he_normal), same = drawn(Initialization::he_normal);
  const auto other = drawn(Initialization::he_normal, 4);
  CHECK(at::equal(one->linear->weight, same->linear->weight));
  CHECK(at::equal(one->convolution->weight, same->convolution->weight));
  CHECK_FALSE(at::equal(one->linear->weight, other->linear->weight));
}

TEST_CASE("constructing a module leaves the global generator as it was", "[models][construct]") {
  const auto before = at::detail::getDefaultCPUGenerator().get_state().clone();
  const auto layers = plumb::construct<Layers>();
  CHECK(at::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
}
