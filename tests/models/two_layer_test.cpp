// Oracle: the defining sum, written as loops over units and coordinates.
#include "plumb/models/two_layer.hpp"

#include <cmath>

#include "models/make.hpp"
#include "support/catch.hpp"

#include "plumb/models/activation.hpp"

using plumb::parameter_count;
using plumb::test::make_network;

namespace {
constexpr int64_t kInputs = 6;

at::Tensor vectors() { return at::randn({4, kInputs}, plumb::Seed(5).stream("x"), at::kDouble); }

double defining_sum(const at::Tensor& w, const at::Tensor& b, const at::Tensor& a, const at::Tensor& x) {
  double sum = 0;
  for (int64_t r = 0; r < w.size(0); ++r) {
    double z = b[r].item<double>();
    for (int64_t i = 0; i < kInputs; ++i) z += w[r][i].item<double>() * x[i].item<double>();
    sum += a[r].item<double>() * std::tanh(z);
  }
  return sum;
}
}  // namespace

TEST_CASE("two_layer is the scaled sum over its units", "[models][two_layer]") {
  const std::vector<std::pair<std::string, double>> scales{
      {"standard", 1.0}, {"ntk", 1 / std::sqrt(9.0)}, {"mean_field", 1 / 9.0}};
  for (const auto& [parameterization, scale] : scales) {
    INFO(parameterization);
    const auto network = make_network("two_layer",
                                      "{width: 9, activation: tanh, bias: true, train: both, alpha: 3, "
                                      "output_weights: gaussian, parameterization: " +
                                          parameterization + "}",
                                      {{2, 3}, 2});
    network->to(at::kDouble);
    const auto p = network->named_parameters();
    {
      const torch::NoGradGuard no_grad;
      p["first.bias"].copy_(at::linspace(-1, 1, 9, at::kDouble));
    }
    const auto inputs = vectors();
    const auto outputs = network->forward(inputs.view({4, 2, 3}));
    for (int64_t n = 0; n < 4; ++n)
      for (int64_t k = 0; k < 2; ++k)
        CHECK(outputs[n][k].item<double>() ==
              Approx(3 * scale *
                     defining_sum(p["first.weight"], p["first.bias"], p["last.weight"][k], inputs[n])));
  }
}

TEST_CASE("initial weights of two_layer have the stated deviations", "[models][two_layer]") {
  // 6 standard errors of the mean square of normal values: a right implementation fails with probability 2e-9
  // a check.
  const auto check = [](const at::Tensor& weight, double variance) {
    const double mean_square = weight.square().mean().item<double>();
    CHECK(std::abs(mean_square / variance - 1) < 6 * std::sqrt(2.0 / static_cast<double>(weight.numel())));
  };
  const plumb::Signature signature{{20}, 5};
  const std::string gaussian = "width: 2000, output_weights: gaussian, parameterization: ";
  const auto standard = make_network("two_layer", "{" + gaussian + "standard}", signature)->parameters();
  check(standard[0], 1.0 / 20);
  check(standard[1], 1.0 / 2000);
  for (const std::string kind : {"ntk", "mean_field"}) {
    const auto p = make_network("two_layer", "{" + gaussian + kind + "}", signature)->parameters();
    check(p[0], 1);
    check(p[1], 1);
  }
  const std::string given = "{" + gaussian + "ntk, first_deviation: 0.5, last_deviation: 0.25}";
  const auto p = make_network("two_layer", given, signature)->parameters();
  check(p[0], 0.25);
  check(p[1], 0.0625);
}

TEST_CASE("random signs are plus or minus the deviation, equally often", "[models][two_layer]") {
  const auto signs = make_network("two_layer", "width: 10000", {{2}, 1})->named_parameters()["last.weight"];
  CHECK(signs.abs().eq(1).all().item<bool>());
  CHECK(std::abs(signs.sum().item<double>()) < 600);  // 6 deviations: fails with probability 2e-9
  const auto scaled = make_network("two_layer", "{width: 16, parameterization: standard}", {{2}, 1});
  CHECK(scaled->named_parameters()["last.weight"].abs().eq(0.25).all().item<bool>());
}

TEST_CASE("layers that are not trained are frozen", "[models][two_layer]") {
  const plumb::Signature signature{{3}, 2};
  CHECK(parameter_count(*make_network("two_layer", "{width: 5, bias: true, train: first}", signature)) == 20);
  CHECK(parameter_count(*make_network("two_layer", "{width: 5, bias: true, train: last}", signature)) == 10);
  CHECK(parameter_count(*make_network("two_layer", "{width: 5, bias: true, train: both}", signature)) == 30);
}

TEST_CASE("an antisymmetric two_layer is zero at the start and moves", "[models][two_layer]") {
  const auto network = make_network("two_layer", "{width: 64, antisymmetric: true}", {{kInputs}, 3});
  network->to(at::kDouble);
  const auto outputs = network->forward(vectors());
  CHECK(outputs.abs().max().item<double>() < 1e-14);
  outputs.select(1, 0).sum().backward();
  CHECK(network->named_parameters()["first.weight"].grad().norm().item<double>() > 0.1);
  CHECK_THROWS_AS(make_network("two_layer", "{width: 5, antisymmetric: true}"), plumb::ConfigError);
}
