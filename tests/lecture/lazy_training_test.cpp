// Oracles: descent by autograd on Chizat's objective, with the same weights, in one test; a kernel taken from
// plumb::tangent_kernel of the two_layer network in another; measurements changed by hand, which the claims
// must catch.
#include "plumb/lecture/lazy_training.hpp"

#include <cmath>
#include <functional>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/models/two_layer.hpp"

using namespace plumb;

namespace plumb {
void register_Systems_lazy_training(Systems& registry);
}

namespace {

std::unique_ptr<System> make_lazy_system(const std::string& options) {
  Systems registry;
  register_Systems_lazy_training(registry);
  const auto entry = registry.at("lazy_training");
  const Config config = Config::parse(options);
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  return entry->make();
}

struct LazyProblem {
  Tensor inputs, targets;
  explicit LazyProblem(int64_t n, int64_t d) {
    at::Generator generator = Seed(5).stream("problem");
    const Tensor directions = at::randn({n, d}, generator, at::TensorOptions(at::kDouble));
    inputs = directions / directions.norm(2, 1, true);
    targets = at::randn({n}, generator, at::TensorOptions(at::kDouble));
  }
};

/// ||y - alpha h|| along descent by autograd, h as in train_lazily. The weights are drawn as its header says.
std::vector<double> autograd_descent(const LazySetting& setting, const LazyProblem& problem, double gamma) {
  at::Generator generator = Seed(9).stream("weights");
  const bool mirrored = setting.start == LazyStart::mirrored;
  const int64_t drawn = mirrored ? setting.width / 2 : setting.width;
  Tensor w = at::randn({drawn, problem.inputs.size(1)}, generator, at::TensorOptions(at::kDouble));
  Tensor a = at::randint(0, 2, {drawn}, generator, at::TensorOptions(at::kDouble)) * 2 - 1;
  if (mirrored) {
    w = at::cat({w, w});
    a = at::cat({a, -a});
  }
  const auto raw = [&](const Tensor& weights) {
    const Tensor hidden = activate(at::mm(problem.inputs, weights.t()), setting.activation);
    return at::mv(hidden, a) / std::sqrt(static_cast<double>(setting.width));
  };
  const Tensor first = setting.start == LazyStart::centred ? raw(w) : torch::zeros_like(problem.targets);
  std::vector<double> norms;
  for (int64_t k = 0; k <= setting.steps; ++k) {
    w = w.detach().requires_grad_(true);
    const Tensor residual = problem.targets - setting.alpha * (raw(w) - first);
    norms.push_back(residual.norm().item<double>());
    const Tensor loss = residual.square().sum() / (2 * setting.alpha * setting.alpha);
    w = w.detach() - gamma * torch::autograd::grad({loss}, {w})[0];
  }
  return norms;
}

LazyRuns measured_runs() {
  const LazyProblem problem(20, 20);
  const auto run = [&](LazySetting setting, uint64_t seed) {
    setting.steps = 60;
    at::Generator generator = Seed(seed).stream("weights");
    return train_lazily(setting, problem.inputs, problem.targets, generator);
  };
  LazyRuns runs;
  for (const int64_t width : {64, 128, 256, 512, 1024, 2048})
    for (uint64_t seed = 0; seed < 6; ++seed) {
      runs.relu_widths.push_back(run({Activation::relu, width}, seed));
      runs.smooth_widths.push_back(run({Activation::tanh, width}, seed));
    }
  for (const double alpha : {4.0, 8.0, 16.0, 32.0, 64.0})
    for (uint64_t seed = 0; seed < 4; ++seed) {
      runs.smooth_centred.push_back(run({Activation::tanh, 200, alpha, LazyStart::centred}, seed));
      runs.smooth_mirrored.push_back(run({Activation::tanh, 200, alpha, LazyStart::mirrored}, seed));
      runs.relu_centred.push_back(run({Activation::relu, 200, alpha, LazyStart::centred}, seed));
    }
  return runs;
}

double root_width(const LazyRun& run) { return std::sqrt(static_cast<double>(run.setting.width)); }

using Falsify = std::function<void(LazyRun&)>;

LazyRuns changed(LazyRuns runs, const Falsify& falsify) {
  for (auto* list : {&runs.relu_widths, &runs.smooth_widths, &runs.smooth_centred, &runs.smooth_mirrored,
                     &runs.relu_centred})
    for (LazyRun& run : *list) falsify(run);
  return runs;
}

}  // namespace

TEST_CASE("S8: networks follow descent by autograd on 1/(2 alpha^2) ||alpha h - y||^2",
          "[lecture][lazy_training]") {
  const LazyProblem problem(6, 4);
  for (const LazyStart start : {LazyStart::plain, LazyStart::centred, LazyStart::mirrored})
    for (const Activation activation : {Activation::tanh, Activation::relu}) {
      const LazySetting setting{activation, 10, 3, start, 12, 0.8};
      at::Generator generator = Seed(9).stream("weights");
      const LazyRun run = train_lazily(setting, problem.inputs, problem.targets, generator);
      const std::vector<double> expected = autograd_descent(setting, problem, run.gamma);
      REQUIRE(run.network.size() == expected.size());
      for (size_t k = 0; k < expected.size(); ++k) CHECK(run.network[k] == Approx(expected[k]).epsilon(1e-9));
      CHECK(run.linear_gap < 1e-12);
      CHECK(run.movement > 0);
    }
  at::Generator generator = Seed(9).stream("weights");
  CHECK_THROWS_AS(train_lazily({Activation::tanh, 5, 1, LazyStart::mirrored, 1}, problem.inputs,
                               problem.targets, generator),
                  ContractError);
}

TEST_CASE("S8: eigenvalues at the start are those of the two_layer network's tangent kernel",
          "[lecture][lazy_training]") {
  const LazyProblem problem(6, 4);
  at::Generator generator = Seed(9).stream("weights");
  const LazyRun run = train_lazily({Activation::tanh, 10, 3, LazyStart::plain, 1, 1}, problem.inputs,
                                   problem.targets, generator);
  generator = Seed(9).stream("weights");
  const Tensor w = at::randn({10, 4}, generator, at::TensorOptions(at::kDouble));
  TwoLayerOptions options;
  options.width = 10;
  options.activation = Activation::tanh;
  const auto network = make_two_layer(options, {{4}, 1}, generator);
  network->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  network->named_parameters()["first.weight"].copy_(w);
  const Tensor eigenvalues =
      at::linalg_eigvalsh(tangent_kernel(NetworkFunction(*network), problem.inputs).matrix);
  CHECK(run.lambda_min == Approx(eigenvalues[0].item<double>()));
  CHECK(run.lambda_max == Approx(eigenvalues[5].item<double>()));
}

TEST_CASE("S8: a small evaluation at two seeds comes out as expected", "[lecture][lazy_training]") {
  const auto system = make_lazy_system(
      "{examples: 20, dimension: 20, widths: [64, 128, 256, 512, 1024, 2048], starts: 6, steps: "
      "60}");
  for (const uint64_t seed : {0, 1}) {
    const Evidence evidence = system->run({Seed(seed), {}, {}});
    CHECK(evidence.claims.size() == 21);
    for (const Claim& claim : evidence.claims) {
      INFO("seed " << seed << ", " << claim.statement << ": " << claim.verdict.text() << ", measured "
                   << claim.verdict.measured << " +- " << claim.verdict.uncertainty);
      CHECK(claim.as_expected());
    }
    REQUIRE(evidence.figures.size() == 3);
    for (const Figure& figure : evidence.figures) CHECK(drawable(figure));
  }
}

TEST_CASE("S8: every claim catches a wrong measurement", "[lecture][lazy_training]") {
  const LazyRuns honest = measured_runs();
  const std::vector<Claim> claims = lazy_training_claims(honest);
  REQUIRE(claims.size() == 21);
  for (const Claim& claim : claims) {
    INFO(claim.statement << ": " << claim.verdict.text() << ", measured " << claim.verdict.measured << " +- "
                         << claim.verdict.uncertainty);
    CHECK(claim.as_expected());
  }
  const auto caught = [&](size_t claim, const Falsify& falsify) {
    return !lazy_training_claims(changed(honest, falsify))[claim].as_expected();
  };
  CHECK(caught(0, [](LazyRun& run) { run.lambda_min = 0; }));
  CHECK(caught(1, [](LazyRun& run) { run.lowest = 0.4; }));
  CHECK(caught(2, [](LazyRun& run) { run.linear_gap = 1e-9; }));
  CHECK(caught(3, [](LazyRun& run) { run.linearized[5] = run.linearized[0]; }));
  CHECK(caught(4, [](LazyRun& run) { run.network[9] *= 1.2; }));
  const std::vector<double LazyRun::*> numbers{&LazyRun::one_step_gap, &LazyRun::drift, &LazyRun::movement,
                                               &LazyRun::linearization};
  for (size_t i = 0; i < 4; ++i) {
    CHECK(caught(5 + i, [&](LazyRun& run) { run.*numbers[i] *= root_width(run); }));
    // Smooth networks may do better than the bound, by another factor m^-1/2.
    CHECK(caught(9 + i, [&](LazyRun& run) { run.*numbers[i] *= root_width(run) * root_width(run); }));
  }
  const std::vector<double LazyRun::*> over_alpha{&LazyRun::movement, &LazyRun::drift,
                                                  &LazyRun::linearization};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(caught(13 + i, [&](LazyRun& run) { run.*over_alpha[i] *= run.setting.alpha; }));
    CHECK(caught(16 + i, [&](LazyRun& run) { run.*over_alpha[i] *= run.setting.alpha; }));
  }
  CHECK(caught(19, [](LazyRun& run) { run.linearization /= std::pow(run.setting.alpha, 2); }));
  CHECK(caught(20, [](LazyRun& run) { run.drift /= run.setting.alpha; }));
}

TEST_CASE("S8: a description that cannot be measured is refused", "[lecture][lazy_training]") {
  CHECK_THROWS_AS(make_lazy_system("{widths: [64]}"), ConfigError);
  CHECK_THROWS_AS(make_lazy_system("{alphas: [4, 2]}"), ConfigError);
  CHECK_THROWS_AS(make_lazy_system("{alpha_width: 101}"), ConfigError);
  CHECK_THROWS_AS(make_lazy_system("{smooth: gelu}"), ConfigError);
}
