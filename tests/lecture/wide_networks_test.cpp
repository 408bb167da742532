// Oracles: autograd on the same formula, plumb's tangent kernel of the two_layer network, a network of one
// unit computed by hand; measurements changed by hand, which the claims must catch.
#include "plumb/lecture/wide_networks.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/lecture/first_layer.hpp"
#include "plumb/models/two_layer.hpp"

using namespace plumb;

namespace plumb {
void register_Systems_wide_networks(Systems& registry);
}

namespace {

std::unique_ptr<System> make_system(const std::string& options) {
  Systems registry;
  register_Systems_wide_networks(registry);
  const auto entry = registry.at("wide_networks");
  const Config config = Config::parse(options);
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  return entry->make();
}

std::vector<WideRun> small_runs() {
  at::Generator generator = Seed(3).stream("problem");
  const SphereProblem problem = draw_sphere_problem(40, 60, generator);
  std::vector<WideRun> runs;
  for (const int64_t width : {64, 256, 1024, 4096})
    for (int start = 0; start < 4; ++start)
      runs.push_back(descend_wide_network(problem, width, 1, 60, 0.1, generator));
  return runs;
}

}  // namespace

TEST_CASE("a first layer's outputs, Jacobian and kernel are those of the two_layer network",
          "[lecture][first_layer]") {
  at::Generator generator = Seed(1).stream("network");
  const Tensor inputs = at::randn({7, 5}, generator, at::TensorOptions(at::kDouble));
  const Tensor examples = at::randn({7}, generator, at::TensorOptions(at::kDouble));
  const Tensor directions = at::randn({12, 5}, generator, at::TensorOptions(at::kDouble));
  for (const Activation activation : {Activation::relu, Activation::tanh, Activation::softplus}) {
    TwoLayerOptions options;
    options.width = 12;
    options.activation = activation;
    const auto network = make_two_layer(options, {{5}, 1}, generator);
    network->to(torch::kDouble);
    const Tensor weights = network->named_parameters()["first.weight"];
    const FirstLayer layer(inputs, network->named_parameters()["last.weight"].detach().flatten(), activation);
    const FirstLayer::Point point = layer.at(weights.detach());
    const Tensor outputs = network->forward(inputs).flatten();
    CHECK(at::allclose(point.outputs, outputs.detach(), 1e-12, 1e-12));
    const Tensor gradient = torch::autograd::grad({(outputs * examples).sum()}, {weights})[0];
    CHECK(at::allclose(layer.apply_transposed(point.slopes, examples), gradient, 1e-12, 1e-12));
    CHECK((layer.apply(point.slopes, directions) * examples).sum().item<double>() ==
          Approx((gradient * directions).sum().item<double>()));
    const Tensor kernel = tangent_kernel(NetworkFunction(*network), inputs).matrix;
    CHECK(at::allclose(layer.kernel(point.slopes), kernel, 1e-12, 1e-12));
  }
  CHECK_THROWS_AS(FirstLayer(inputs, examples, Activation::gelu), ContractError);
  CHECK_THROWS_AS(FirstLayer(inputs.to(torch::kFloat), examples, Activation::relu), ContractError);
}

TEST_CASE("S9: one active unit on one example contracts as computed by hand", "[lecture][wide_networks]") {
  // One example x of norm 1: H^inf = 1/2 and the step is 0.5/(1/2) = 1. While its unit is active f = a w.x
  // with kernel 1, so that r_1 = (1 - 1) r_0 = 0; while it is not, f = 0 and nothing moves.
  const SphereProblem problem{torch::tensor({{1.0, 0.0}}, torch::kDouble),
                              torch::tensor({0.5}, torch::kDouble)};
  bool active = false, inactive = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    at::Generator generator = Seed(seed).stream("start");
    const WideRun run = descend_wide_network(problem, 1, 0.5, 1, 0.1, generator);
    CHECK(run.setting.step == Approx(1));
    CHECK(run.kernel_distance == Approx(std::sqrt(2) * run.setting.initial_residual));
    if (run.lambda_min[0] == 0) {
      inactive = true;
      CHECK(run.squared_residuals[1] == Approx(0.25));
      CHECK(run.distance == 0);
    } else if (run.flips == 0) {
      active = true;
      CHECK(run.lambda_min[0] == Approx(1));
      CHECK(run.squared_residuals[1] == Approx(0).margin(1e-25));
      CHECK(run.distance == Approx(run.setting.initial_residual));
      CHECK(run.pl_ratios[0] == Approx(2));
    }
  }
  CHECK((active && inactive));
}

TEST_CASE("S9: all claims of a small evaluation come out as expected", "[lecture][wide_networks]") {
  const auto system =
      make_system("{examples: 40, dimension: 60, widths: [64, 256, 1024, 4096], starts: 4, steps: 60}");
  for (const uint64_t seed : {0, 1}) {
    const Evidence evidence = system->run({Seed(seed), {}, {}});
    CHECK(evidence.claims.size() == 16);
    for (const Claim& claim : evidence.claims) {
      INFO("seed " << seed << ", " << claim.statement << ": " << claim.verdict.text());
      CHECK(claim.as_expected());
    }
    REQUIRE(evidence.figures.size() == 2);
    for (const Figure& figure : evidence.figures) CHECK(drawable(figure));
  }
}

TEST_CASE("S9: every claim catches a wrong measurement", "[lecture][wide_networks]") {
  const std::vector<WideRun> honest = small_runs();
  const std::vector<Claim> claims = wide_networks_claims(honest);
  REQUIRE(claims.size() == 16);
  for (const Claim& claim : claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  const auto caught = [&](size_t claim, const std::function<void(WideRun&)>& falsify) {
    std::vector<WideRun> runs = honest;
    for (WideRun& run : runs) falsify(run);
    return !wide_networks_claims(runs)[claim].as_expected();
  };
  const auto root_width = [](const WideRun& run) {
    return std::sqrt(static_cast<double>(run.setting.width));
  };
  CHECK(caught(0, [](WideRun& run) { run.setting.lambda0 = 0; }));
  CHECK(caught(1, [](WideRun& run) { run.limit_distance *= 100; }));
  CHECK(caught(2, [](WideRun& run) { run.lambda_min[0] = 0.7 * run.setting.lambda0; }));
  CHECK(caught(3, [](WideRun& run) { run.lambda_min[2] = 0.49 * run.setting.lambda0; }));
  CHECK(caught(4, [](WideRun& run) { run.pl_ratios[2] = 0.99 * run.setting.lambda0; }));
  CHECK(caught(5, [](WideRun& run) { run.squared_residuals[3] = run.squared_residuals[0]; }));
  CHECK(caught(6, [](WideRun& run) { run.moved[1] = 2 * theory::movement_radius(run.setting); }));
  CHECK(caught(7, [](WideRun& run) { run.distance *= 1.2; }));
  CHECK(caught(8, [](WideRun& run) { run.flips = 1.01 * run.flip_bound.value; }));
  CHECK(caught(9, [](WideRun& run) { run.drift[1] = 1e9; }));
  CHECK(caught(10, [](WideRun& run) {
    run.setting.width_constant = 1e-30;
    run.setting.step_constant = 1e30;
  }));
  CHECK(caught(11, [&](WideRun& run) { run.flips *= root_width(run); }));
  CHECK(caught(12, [&](WideRun& run) { run.moved.back() *= root_width(run); }));
  CHECK(caught(13, [&](WideRun& run) {
    for (double& drift : run.drift) drift *= root_width(run);
  }));
  CHECK(caught(14, [&](WideRun& run) { run.limit_distance *= root_width(run); }));
  CHECK(caught(15, [&](WideRun& run) { run.distance *= root_width(run); }));
}

TEST_CASE("S9: a description without two ascending widths is refused", "[lecture][wide_networks]") {
  CHECK_THROWS_AS(make_system("{widths: [128]}"), ConfigError);
  CHECK_THROWS_AS(make_system("{widths: [128, 64]}"), ConfigError);
  CHECK_THROWS_AS(make_system("{examples: 1}"), ConfigError);
}
