// Oracle: two-layer ReLU networks drawn and trained here by explicit formulas, arithmetic by hand, and
// movements made to be the worst possible.
#include "plumb/theory/wide_networks.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"
#include "plumb/theory/infinite_width.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

/// The network of the paper, and gradient descent on it.
struct ReluNetwork {
  Tensor inputs, targets, weights, signs;

  ReluNetwork(const Tensor& x, const Tensor& y, int64_t width, const char* purpose) : inputs(x), targets(y) {
    at::Generator generator = Seed(11).stream(purpose);
    weights = torch::randn({width, x.size(1)}, generator, torch::kDouble);
    signs = torch::randint(2, {width}, generator, torch::kDouble) * 2 - 1;
  }
  double root_width() const { return std::sqrt(static_cast<double>(weights.size(0))); }
  Tensor active() const { return (at::mm(inputs, weights.t()) >= 0).to(torch::kDouble); }
  Tensor residual() const {
    return at::mv(at::mm(inputs, weights.t()).clamp_min(0), signs) / root_width() - targets;
  }
  Tensor kernel() const {
    return at::mm(inputs, inputs.t()) * at::mm(active(), active().t()) / static_cast<double>(weights.size(0));
  }
  void step(double eta) {
    const Tensor pull = active() * residual().unsqueeze(1) * signs / root_width();
    weights = weights - eta * at::mm(pull.t(), inputs);
  }
};

Tensor unit_rows(int64_t n, int64_t d) {
  at::Generator generator = Seed(12).stream("rows");
  const Tensor x = torch::randn({n, d}, generator, torch::kDouble);
  return x / x.norm(2, 1, true);
}

Tensor some_targets(int64_t n) {
  at::Generator generator = Seed(13).stream("targets");
  return 2 * torch::rand({n}, generator, torch::kDouble) - 1;
}

/// A run whose hidden constants are so small that its width and step satisfy the theorem's requirements.
struct TrainedRun {
  WideSetting setting;
  std::vector<int64_t> steps;
  std::vector<std::string> places;
  std::vector<double> squared, moved, smallest;

  TrainedRun(const Tensor& x, const Tensor& y, int64_t width, double step, int64_t count) {
    ReluNetwork network(x, y, width, "trained");
    const Tensor start = network.weights;
    setting = wide_setting(x, y);
    setting.width = width;
    setting.step = step;
    setting.initial_residual = network.residual().norm().item<double>();
    setting.width_constant = 1e-12;
    setting.step_constant = 1e3;
    for (int64_t k = 0; k < count; ++k) {
      steps.push_back(k);
      places.push_back("step " + std::to_string(k));
      squared.push_back(network.residual().square().sum().item<double>());
      moved.push_back((network.weights - start).norm(2, 1).max().item<double>());
      smallest.push_back(at::linalg_eigvalsh(network.kernel())[0].item<double>());
      network.step(step);
    }
  }
};

}  // namespace

TEST_CASE("the setting of a wide network is read off its data", "[theory][wide]") {
  const WideSetting setting =
      wide_setting(torch::eye(3, torch::kDouble), torch::tensor({0.5, -2.0, 1.0}, torch::kDouble));
  CHECK(setting.n == 3);
  CHECK(setting.lambda0 == Approx(0.5));
  CHECK(setting.gram_norm == Approx(1));
  CHECK(setting.largest_cosine == 0);
  CHECK(setting.norm_error == 0);
  CHECK(setting.largest_target == 2);
  CHECK_THROWS_AS(wide_setting(torch::eye(3, torch::kFloat), torch::zeros({3}, torch::kDouble)),
                  ContractError);
}

TEST_CASE("the widths and the step are the paper's formulas", "[theory][wide]") {
  WideSetting setting;
  setting.n = 2;
  setting.lambda0 = 0.5;
  setting.delta = 0.1;
  setting.gram_norm = 3;
  setting.initial_residual = 2;
  setting.width = 100;
  CHECK(theorem_width(setting) == Approx(64 / (0.0625 * 0.001)));
  CHECK(theorem_step(setting) == Approx(0.125));
  CHECK(hoeffding_width(setting) == Approx(8 * 16 * std::log(60)));
  CHECK(chernoff_width(setting) == Approx(32 * 3 * std::log(20) / 0.5));
  CHECK(movement_radius(setting) == Approx(4 * std::sqrt(2) * 2 / (10 * 0.5)));
  // At the proof's width the two radii meet.
  setting.width = static_cast<int64_t>(proof_width(setting));
  CHECK(movement_radius(setting) == Approx(stable_radius(setting)));
}

TEST_CASE("the claims of Thm 4.1 hold for a wide network and fail for wrong measurements", "[theory][wide]") {
  const TrainedRun run(unit_rows(6, 8), some_targets(6), 2000, 0.2, 60);
  const size_t count = run.steps.size();
  const auto residual = judge(squared_residual(run.setting, run.steps), run.squared, run.places);
  CHECK(residual.ruling == Ruling::holds);
  CHECK(residual.place == "step 0");
  CHECK(residual.margin == Approx(1));
  CHECK(judge(weight_movement(run.setting, count), run.moved, run.places).ruling == Ruling::holds);
  CHECK(judge(kernel_stays_definite(run.setting, count), run.smallest, run.places).ruling == Ruling::holds);

  std::vector<double> stuck(count, run.squared[0]);
  CHECK(judge(squared_residual(run.setting, run.steps), stuck, run.places).ruling == Ruling::fails);
  std::vector<double> far = run.moved;
  far.back() = 1.01 * movement_radius(run.setting);
  CHECK(judge(weight_movement(run.setting, count), far, run.places).ruling == Ruling::fails);
  std::vector<double> singular = run.smallest;
  singular[7] = 0.4 * run.setting.lambda0;
  CHECK(judge(kernel_stays_definite(run.setting, count), singular, run.places).place == "step 7");
}

TEST_CASE("each hypothesis of Thm 4.1 that is broken is named", "[theory][wide]") {
  const TrainedRun run(unit_rows(4, 6), some_targets(4), 500, 0.2, 5);
  const auto unmet = [&](const WideSetting& setting) {
    const Verdict verdict = judge(squared_residual(setting, run.steps), run.squared, run.places);
    CHECK(verdict.ruling == Ruling::hypotheses_not_met);
    REQUIRE_FALSE(verdict.unmet.empty());
    return verdict.unmet.front().statement;
  };
  WideSetting setting = run.setting;
  setting.width_constant = 1;
  CHECK_THAT(unmet(setting), ContainsSubstring("width suffices"));
  setting = run.setting;
  setting.step_constant = 1e-3;
  CHECK_THAT(unmet(setting), ContainsSubstring("step is short"));
  setting = run.setting;
  setting.target_bound = 1e-3;
  CHECK_THAT(unmet(setting), ContainsSubstring("targets"));
  setting = run.setting;
  setting.norm_error = 0.5;
  CHECK_THAT(unmet(setting), ContainsSubstring("norm 1"));
}

TEST_CASE("two parallel inputs make the limit kernel singular, and the theorems say so", "[theory][wide]") {
  Tensor x = unit_rows(4, 6);
  const WideSetting apart = wide_setting(x, some_targets(4));
  CHECK(judge(limit_kernel_definite(apart), {apart.lambda0, 0, ""}).ruling == Ruling::holds);
  x[3] = x[0];
  const WideSetting parallel = wide_setting(x, some_targets(4));
  CHECK(parallel.lambda0 == Approx(0).margin(1e-14));
  const Verdict verdict = judge(limit_kernel_definite(parallel), {parallel.lambda0, 0, ""});
  CHECK(verdict.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(verdict.relation_true);
  CHECK(judge(squared_residual(parallel, {0}), {0}, {"step 0"}).ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("with one example the radius of movement is loose by exactly 4 and the rate by 4",
          "[theory][wide]") {
  const Tensor x = torch::tensor({{1.0, 0.0}}, torch::kDouble);
  const TrainedRun run(x, torch::tensor({0.7}, torch::kDouble), 20000, 0.1, 120);
  CHECK(run.setting.lambda0 == Approx(0.5));
  const Verdict moved = judge(weight_movement(run.setting, run.steps.size()), run.moved, run.places);
  CHECK(moved.margin == Approx(4).epsilon(0.03));
  const double rate = std::log(run.squared[50] / run.squared[0]) / 50;
  CHECK(rate / std::log(1 - 0.1 * 0.5 / 2) == Approx(4).epsilon(0.03));
}

TEST_CASE("H(0) is as near to its limit as Hoeffding's inequality allows, in all of 200 draws",
          "[theory][wide]") {
  const Tensor x = unit_rows(5, 4);
  WideSetting setting = wide_setting(x, some_targets(5));
  setting.width = 64;
  setting.delta = 0.1;
  const Tensor limit = first_layer_kernel({Nonlinearity::Kind::relu}, x);
  int missed = 0;
  for (int i = 0; i < 200; ++i) {
    const ReluNetwork network(x, some_targets(5), 64, ("draw " + std::to_string(i)).c_str());
    const double distance = (network.kernel() - limit).norm().item<double>();
    missed += judge(initial_kernel_distance(setting), {distance, 0, ""}).ruling == Ruling::fails;
  }
  CHECK(missed == 0);  // at most 20 expected; the union bound is generous
  CHECK(judge(initial_kernel_distance(setting), {5, 0, ""}).ruling == Ruling::fails);
}

TEST_CASE("H(0) is definite at the width of the matrix Chernoff inequality", "[theory][wide]") {
  const Tensor x = unit_rows(5, 8);
  WideSetting setting = wide_setting(x, some_targets(5));
  setting.width = static_cast<int64_t>(std::min(hoeffding_width(setting), chernoff_width(setting))) + 1;
  const ReluNetwork network(x, some_targets(5), setting.width, "definite");
  const double smallest = at::linalg_eigvalsh(network.kernel())[0].item<double>();
  CHECK(judge(initial_kernel_definite(setting), {smallest, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(initial_kernel_definite(setting), {0.7 * setting.lambda0, 0, ""}).ruling == Ruling::fails);
  setting.width = 8;
  CHECK(judge(initial_kernel_definite(setting), {smallest, 0, ""}).ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("weights that all move straight at the boundary flip exactly the signs that may flip",
          "[theory][wide]") {
  const Tensor x = torch::tensor({{0.6, 0.8}}, torch::kDouble);
  const ReluNetwork network(x, torch::zeros({1}, torch::kDouble), 5000, "flips");
  const double radius = 0.2;
  const Tensor side = at::mm(network.weights, x.t()).sign();
  const Tensor moved = network.weights - (radius * (1 + 1e-12)) * side * x;
  const double flipped = (at::mm(moved, x.t()).sign() != side).to(torch::kDouble).mean().item<double>();
  const Prediction bound = sign_flips(network.weights, x, radius, radius);
  CHECK(judge(bound, {flipped, 0, ""}).margin == Approx(1));
  CHECK(judge(bound, {flipped + 0.001, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(sign_flips(network.weights, x, radius, 1.01 * radius), {flipped, 0, ""}).ruling ==
        Ruling::hypotheses_not_met);
  // Five standard errors of a share of 5000.
  const double expected = expected_near_boundary(radius);
  CHECK(std::abs(flipped - expected) < 5 * std::sqrt(expected * (1 - expected) / 5000));
  CHECK(expected < 2 * radius / std::sqrt(2 * M_PI));
}

TEST_CASE("the drift of the kernel under the worst movement stays within Lemma 3.2", "[theory][wide]") {
  const Tensor x = torch::tensor({{1.0, 0.0}}, torch::kDouble);
  ReluNetwork network(x, torch::zeros({1}, torch::kDouble), 20000, "drift");
  const Tensor before = network.kernel();
  const double radius = 0.1;
  network.weights = network.weights - radius * x;
  const double drift = (network.kernel() - before).norm().item<double>();
  WideSetting setting = wide_setting(x, torch::zeros({1}, torch::kDouble));
  setting.delta = 1;  // the mean: Markov's inequality has nothing to add
  const Verdict verdict = judge(kernel_drift(setting, radius, radius), {drift, 0, ""});
  CHECK(verdict.ruling == Ruling::holds);
  // 4: two sides of the boundary, and each pair's two examples counted apart, which are one here.
  CHECK(verdict.margin == Approx(4).epsilon(0.1));
  CHECK(judge(kernel_drift(setting, radius, 2 * radius), {drift, 0, ""}).ruling ==
        Ruling::hypotheses_not_met);
  CHECK(judge(kernel_drift(setting, radius, radius), {5 * drift, 0, ""}).ruling == Ruling::fails);
}
