// Oracle: automatic differentiation for gradient and Hessian, polynomials written out; measurements changed
// by hand, which the claims must catch.
#include "plumb/lecture/edge_of_stability.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/autograd/functional.hpp"

using namespace plumb;

namespace plumb {
void register_Systems_edge_of_stability(Systems& registry);
}

namespace {

EdgeRuns honest_edges() {
  EdgeRuns runs;
  runs.edge.step = 0.5;  // 2/eta = 4
  runs.edge.steps = {0, 1, 2, 3, 4, 5, 6, 7};
  runs.edge.sharpness = {1, 2, 3, 4.1, 4, 4.1, 3.9, 4};
  runs.edge.losses = {8, 7, 6, 5, 4, 3, 2, 1};
  runs.edge.crossing = 3;
  runs.edge.rises_after = 2;
  runs.short_steps = {0.05, {0, 1}, {1, 5}, {8, 7}, -1, 0, 0};
  runs.stable = {0.95, 0.9, 0.9, 0.001};
  runs.unstable = {1.05, 1.1, 1.1, 0.001};
  return runs;
}

bool unexpected_edge(const EdgeRuns& runs, size_t claim) {
  return !edge_of_stability_claims(runs)[claim].as_expected();
}

}  // namespace

TEST_CASE("E1: all claims come out as expected", "[lecture][edge_of_stability]") {
  Systems registry;
  register_Systems_edge_of_stability(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "edge_of_stability").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 12);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 2);
  for (const Figure& figure : evidence.figures) CHECK(drawable(figure));
}

TEST_CASE("E1: gradient and Hessian in closed form are those of automatic differentiation",
          "[lecture][edge_of_stability]") {
  at::Generator generator = Seed(2).stream("test");
  const CurveFit task = chebyshev_task(3, 5);
  const Tensor theta = at::randn({12}, generator, at::TensorOptions(at::kDouble));
  const auto loss = [&](const Tensor& t) {
    const Tensor hidden = at::tanh(at::outer(task.inputs, t.slice(0, 0, 4)) + t.slice(0, 4, 8));
    return (at::mv(hidden, t.slice(0, 8)) - task.targets).square().mean() / 2;
  };
  CHECK(task.loss(theta) == Approx(loss(theta).item<double>()));
  CHECK(torch::allclose(task.gradient(theta), autograd::functional::jacobian(loss, theta), 1e-10, 1e-12));
  CHECK(torch::allclose(task.hessian(theta), autograd::functional::hessian(loss, theta), 1e-10, 1e-12));
}

TEST_CASE("E1: the task is the Chebyshev polynomial", "[lecture][edge_of_stability]") {
  const CurveFit task = chebyshev_task(4, 7);
  const Tensor x = task.inputs;
  CHECK(torch::allclose(task.targets, 8 * x.pow(4) - 8 * x.square() + 1, 1e-10, 1e-12));
}

TEST_CASE("E1: the median is taken over the second half", "[lecture][edge_of_stability]") {
  CHECK(honest_edges().edge.median_share() == Approx(1));
}

TEST_CASE("E1: every claim catches a wrong measurement", "[lecture][edge_of_stability]") {
  EdgeRuns runs = honest_edges();
  REQUIRE(edge_of_stability_claims(runs).size() == 12);
  for (size_t claim = 0; claim < 12; ++claim) {
    INFO(claim);
    CHECK_FALSE(unexpected_edge(runs, claim));
  }
  runs.edge.rises_before = 1;
  CHECK(unexpected_edge(runs, 0));
  runs.edge.sharpness = {1, 2, 3, 3, 3, 3, 3, 3};
  CHECK(unexpected_edge(runs, 1));
  CHECK(unexpected_edge(runs, 3));
  runs.edge.sharpness = {1, 2, 3, 5, 5, 5, 5, 5};
  CHECK(unexpected_edge(runs, 2));
  runs.edge.rises_after = 0;
  CHECK(unexpected_edge(runs, 4));
  runs.edge.losses.back() = 100;
  CHECK(unexpected_edge(runs, 5));
  runs.short_steps.rises_before = 1;
  CHECK(unexpected_edge(runs, 6));
  runs.stable.factor = 1.05;
  CHECK(unexpected_edge(runs, 7));
  CHECK(unexpected_edge(runs, 9));
  runs.unstable.factor = 0.99;
  CHECK(unexpected_edge(runs, 8));
  CHECK(unexpected_edge(runs, 10));
  runs.stable.sharpness_change = 0.1;
  CHECK(unexpected_edge(runs, 11));
}
