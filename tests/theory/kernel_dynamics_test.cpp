// Oracle: gradient descent on linear models step by step, matrix functions from repeated products, and a
// linear least-squares solver.
#include "plumb/theory/kernel_dynamics.hpp"

#include <cmath>
#include <limits>
#include <tuple>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

constexpr double forever = std::numeric_limits<double>::infinity();

/// f(x) = w.x: n training examples, 3 others, a start w_0 and targets for two outputs.
struct LinearProblem {
  Tensor inputs, others, start, targets;

  explicit LinearProblem(int64_t n = 5, int64_t d = 8) {
    at::Generator generator = Seed(8).stream("linear");
    inputs = torch::randn({n, d}, generator, torch::kDouble);
    others = torch::randn({3, d}, generator, torch::kDouble);
    start = torch::randn({d, 2}, generator, torch::kDouble);
    targets = torch::randn({n, 2}, generator, torch::kDouble);
  }
  Tensor kernel() const { return at::mm(inputs, inputs.t()); }
  Tensor cross() const { return at::mm(others, inputs.t()); }
  KernelDynamics dynamics() const { return {kernel(), at::mm(inputs, start), targets}; }

  /// The weights after k steps of size eta on `factor` ||X w - y||^2.
  Tensor descend(double factor, double eta, int64_t k) const {
    Tensor w = start.clone();
    for (int64_t i = 0; i < k; ++i)
      w = w - eta * 2 * factor * at::mm(inputs.t(), at::mm(inputs, w) - targets);
    return w;
  }
};

bool close(const Tensor& a, const Tensor& b, double tolerance = 1e-10) {
  return at::allclose(a, b, tolerance, tolerance);
}

/// Examples and a kernel of rank d < n: the last examples depend on the others.
LinearProblem singular() { return LinearProblem(6, 4); }

}  // namespace

TEST_CASE("descent on a linear model follows its kernel at every step, whatever the loss is multiplied by",
          "[theory][dynamics]") {
  for (const LinearProblem& problem : {LinearProblem(), singular()}) {
    const KernelDynamics dynamics = problem.dynamics();
    const int64_t n = problem.inputs.size(0);
    for (const SquaredLoss loss :
         {SquaredLoss::half_sum, SquaredLoss::sum, SquaredLoss::half_mean, SquaredLoss::mean})
      for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{17}}) {
        const double gamma = 1.3 / dynamics.lambda_max();
        const double eta = step_of_gamma(loss, gamma, n);
        CHECK(gamma_of_step(loss, eta, n) == Approx(gamma));
        const Tensor w = problem.descend(loss_factor(loss, n), eta, k);
        CHECK(close(dynamics.descent_residual(gamma, k), problem.targets - at::mm(problem.inputs, w)));
        CHECK(
            close(dynamics.descent_outputs(gamma, k, problem.cross(), at::mm(problem.others, problem.start)),
                  at::mm(problem.others, w)));
      }
  }
}

TEST_CASE("flow is the limit of ever shorter steps", "[theory][dynamics]") {
  const LinearProblem problem = singular();
  const KernelDynamics dynamics = problem.dynamics();
  const Tensor initial = at::mm(problem.others, problem.start);
  const double t = 0.3;
  const int64_t k = 1 << 20;
  // (I - G t/k)^k by squaring: an error of t^2 lambda^2/k.
  Tensor power = torch::eye(6, torch::kDouble) - problem.kernel() * (t / static_cast<double>(k));
  for (int i = 0; i < 20; ++i) power = at::mm(power, power);
  const Tensor start = problem.targets - at::mm(problem.inputs, problem.start);
  CHECK(close(dynamics.flow_residual(t), at::mm(power, start), 1e-4));
  CHECK(close(dynamics.flow_outputs(t, problem.cross(), initial),
              dynamics.descent_outputs(t / static_cast<double>(k), k, problem.cross(), initial), 1e-4));
}

TEST_CASE("flow for ever is the least-squares solution nearest to the start, singular kernel or not",
          "[theory][dynamics]") {
  for (const LinearProblem& problem : {LinearProblem(), singular()}) {
    const KernelDynamics dynamics = problem.dynamics();
    const Tensor move =
        at::mm(at::linalg_pinv(problem.inputs), problem.targets - at::mm(problem.inputs, problem.start));
    const Tensor limit = problem.start + move;
    CHECK(close(dynamics.flow_residual(forever), problem.targets - at::mm(problem.inputs, limit)));
    CHECK(close(dynamics.flow_outputs(forever, problem.cross(), at::mm(problem.others, problem.start)),
                at::mm(problem.others, limit)));
    CHECK(dynamics.flow_distance(forever) == Approx(move.norm().item<double>()));
    CHECK(close(dynamics.flow_residual(1e9), dynamics.flow_residual(forever), 1e-8));
    CHECK(dynamics.flow_distance(0) == 0);
  }
}

TEST_CASE("the distance along flow is that of a linear model's weights", "[theory][dynamics]") {
  const LinearProblem problem;
  const KernelDynamics dynamics = problem.dynamics();
  const Tensor w = problem.descend(0.5, 1e-5, 3000);
  CHECK(dynamics.flow_distance(0.03) == Approx((w - problem.start).norm().item<double>()).epsilon(1e-3));
}

TEST_CASE("targets of one column may be vectors", "[theory][dynamics]") {
  const LinearProblem problem;
  const Tensor initial = at::mm(problem.inputs, problem.start);
  const KernelDynamics one(problem.kernel(), initial.select(1, 0), problem.targets.select(1, 0));
  CHECK(one.flow_residual(0.1).sizes() == problem.targets.select(1, 0).sizes());
  CHECK(close(one.flow_residual(0.1), problem.dynamics().flow_residual(0.1).select(1, 0)));
}

TEST_CASE("descent stays bounded up to the largest step and diverges beyond", "[theory][dynamics]") {
  const LinearProblem problem;
  const KernelDynamics dynamics = problem.dynamics();
  const CriticalSteps steps = critical_steps(dynamics.lambda_min(), dynamics.lambda_max());
  const double start = dynamics.descent_residual(1, 0).norm().item<double>();
  CHECK(dynamics.descent_residual(0.999 * steps.largest, 20000).norm().item<double>() < start);
  CHECK(dynamics.descent_residual(1.01 * steps.largest, 2000).norm().item<double>() > 1e6 * start);
  // At eta_critical both ends contract alike, and no step contracts the slowest mode faster.
  const auto rate = [&](double gamma) {
    return std::max(std::abs(1 - gamma * dynamics.lambda_min()), std::abs(1 - gamma * dynamics.lambda_max()));
  };
  CHECK(rate(steps.fastest) < rate(0.99 * steps.fastest));
  CHECK(rate(steps.fastest) < rate(1.01 * steps.fastest));
}

TEST_CASE("the claim that training is linearized holds for a linear model and fails when the kernel is wrong",
          "[theory][dynamics]") {
  const LinearProblem problem;
  const KernelDynamics dynamics = problem.dynamics();
  const double gamma = 1 / dynamics.lambda_max();
  std::vector<int64_t> steps;
  std::vector<double> measured;
  std::vector<std::string> places;
  for (int64_t k = 0; k < 50; k += 5) {
    steps.push_back(k);
    places.push_back("step " + std::to_string(k));
    const Tensor residual = at::mm(problem.inputs, problem.descend(0.5, gamma, k)) - problem.targets;
    measured.push_back(residual.norm().item<double>());
  }
  CHECK(judge(linearized_residual(dynamics, gamma, steps, 1e-9), measured, places).ruling == Ruling::holds);
  const KernelDynamics wrong(1.1 * problem.kernel(), at::mm(problem.inputs, problem.start), problem.targets);
  CHECK(judge(linearized_residual(wrong, gamma, steps, 1e-3), measured, places).ruling == Ruling::fails);
  CHECK(judge(linearized_residual(dynamics, 2.1 * gamma, steps, 1e-3), measured, places).ruling ==
        Ruling::hypotheses_not_met);
}

TEST_CASE("the slides' contraction is reached along the eigenvector of the smallest eigenvalue",
          "[theory][dynamics]") {
  const Tensor kernel = torch::diag(torch::tensor({0.5, 2.0, 3.0}, torch::kDouble));
  const Tensor slow = torch::tensor({1.0, 0.0, 0.0}, torch::kDouble);
  const KernelDynamics dynamics(kernel, torch::zeros({3}, torch::kDouble), slow);
  const std::vector<int64_t> steps{0, 3, 40};
  const std::vector<std::string> places{"0", "3", "40"};
  const double gamma = critical_steps(0.5, 3).fastest;
  std::vector<double> measured;
  for (const int64_t k : steps) measured.push_back(dynamics.descent_residual(gamma, k).norm().item<double>());
  const Verdict tight = judge(residual_contraction(0.5, 3, 1, gamma, steps), measured, places);
  CHECK(tight.ruling == Ruling::holds);
  CHECK(tight.margin == Approx(1));
  CHECK(judge(residual_contraction(0.6, 3, 1, gamma, steps), measured, places).ruling ==
        Ruling::hypotheses_not_met);
  CHECK(judge(residual_contraction(0.6, 2.9, 1, gamma, steps), measured, places).ruling == Ruling::fails);
  CHECK(judge(residual_contraction(0, 3, 1, gamma, steps), measured, places).ruling ==
        Ruling::hypotheses_not_met);
  CHECK(judge(residual_contraction(0.5, 3, 1, 1.1 * gamma, steps), measured, places).ruling ==
        Ruling::hypotheses_not_met);
}

TEST_CASE("the PL constant of the slides' loss is 4 lambda_min of the kernel", "[theory][dynamics]") {
  const LinearProblem problem;
  const KernelDynamics dynamics = problem.dynamics();
  for (const SquaredLoss loss : {SquaredLoss::half_sum, SquaredLoss::sum, SquaredLoss::mean}) {
    const double factor = loss_factor(loss, 5);
    // The residual along the slowest eigenvector makes ||grad L||^2 / L least.
    const Tensor slow = std::get<1>(at::linalg_eigh(problem.kernel())).select(1, 0);
    const Tensor gradient = 2 * factor * at::mv(problem.inputs.t(), slow);
    CHECK(slides_pl_constant(loss, dynamics.lambda_min(), 5) ==
          Approx(gradient.square().sum().item<double>() / factor));
  }
  CHECK(slides_pl_constant(SquaredLoss::sum, 0.3, 5) == Approx(1.2));
}

TEST_CASE("dynamics refuse what is not a positive semidefinite kernel or does not fit it",
          "[theory][dynamics]") {
  const Tensor y = torch::ones({2}, torch::kDouble);
  const Tensor zero = torch::zeros({2}, torch::kDouble);
  const Tensor indefinite = torch::tensor({{1.0, 2.0}, {2.0, 1.0}}, torch::kDouble);
  const Tensor lopsided = torch::tensor({{1.0, 0.5}, {0.0, 1.0}}, torch::kDouble);
  const Tensor identity = torch::eye(2, torch::kDouble);
  CHECK_THROWS_AS(KernelDynamics(indefinite, zero, y), ContractError);
  CHECK_THROWS_AS(KernelDynamics(lopsided, zero, y), ContractError);
  CHECK_THROWS_AS(KernelDynamics(identity.to(torch::kFloat), zero, y), ContractError);
  CHECK_THROWS_AS(KernelDynamics(identity, zero, torch::ones({3}, torch::kDouble)), ContractError);
  const KernelDynamics good(identity, zero, y);
  CHECK_THROWS_AS(good.flow_residual(-1), ContractError);
  CHECK_THROWS_AS(good.descent_residual(1, -1), ContractError);
  CHECK_THROWS_AS(good.flow_outputs(1, torch::ones({4, 3}, torch::kDouble), zero), ContractError);
}
