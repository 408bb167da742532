// Oracle: autograd for the function's derivatives, random search for its constants; measurements changed by
// hand, which the claims must catch.
#include "plumb/lecture/sgd_nonconvex.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_sgd_nonconvex(Systems& registry);
}

namespace {

struct SmallProblem {
  Tensor inputs, targets;

  SmallProblem() {
    at::Generator generator = Seed(41).stream("small");
    inputs = torch::randn({12, 3}, generator, torch::kDouble);
    targets = torch::randn({12}, generator, torch::kDouble);
  }
  RobustRegression function() const { return {inputs, targets}; }
};

}  // namespace

TEST_CASE("S2: all claims come out as expected", "[lecture][sgd_nonconvex]") {
  Systems registry;
  register_Systems_sgd_nonconvex(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "sgd_nonconvex").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 5);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S2: the robust regression's derivatives and constants are right", "[lecture][sgd_nonconvex]") {
  const SmallProblem small;
  const RobustRegression f = small.function();
  at::Generator generator = Seed(42).stream("points");
  const Tensor points = 2 * torch::randn({50, 3}, generator, torch::kDouble);
  const RobustRegression::At here = f.at(points);
  const Tensor w = points.clone().requires_grad_(true);
  const Tensor t = at::mm(w, small.inputs.t()) - small.targets;
  const Tensor each = t.square() / (1 + t.square());
  CHECK(at::allclose(here.values, each.mean(1)));
  CHECK(at::allclose(here.gradients, torch::autograd::grad({each.mean(1).sum()}, {w}, {}, true)[0]));
  Tensor moments = torch::zeros({50}, torch::kDouble);
  for (int64_t i = 0; i < 12; ++i) {
    const Tensor expected = torch::autograd::grad({each.select(1, i).sum()}, {w}, {}, true)[0];
    CHECK(at::allclose(f.example_gradients(points, torch::full({50}, i, torch::kLong)), expected));
    moments += expected.square().sum(1) / 12;
  }
  CHECK(at::allclose(here.second_moments, moments));
  CHECK(moments.max().item<double>() <= f.gradient_bound() * f.gradient_bound());
  // Gradients between points differ by at most beta times their distance.
  const Tensor near = points + 1e-4 * torch::randn({50, 3}, generator, torch::kDouble);
  const Tensor ratio = (f.at(near).gradients - here.gradients).norm(2, 1) / (near - points).norm(2, 1);
  CHECK(ratio.max().item<double>() <= f.problem().smoothness);
}

TEST_CASE("S2: every claim catches a wrong measurement", "[lecture][sgd_nonconvex]") {
  const RobustRegression f = SmallProblem().function();
  const auto problem = f.problem();
  const double bound = f.gradient_bound();
  const auto average = [&](int64_t horizon) {
    const double level = theory::best_sgd_gradient_norm(problem, {bound, 0}, horizon).value;
    SgdAverage one;
    one.horizon = horizon;
    one.step = theory::best_sgd_step(problem, {bound, 0}, horizon);
    one.gradient_norm = {0.5 * level, 0.1 * level, "T"};
    one.telescoped = {0.1 * level, 0.1 * level, "T"};
    one.largest_second_moment = 0.5 * bound * bound;
    return one;
  };
  const SgdNonconvexRuns honest{problem, bound, {average(100), average(10000)}, {1e-3, 1e-6}};
  const auto unexpected = [](const SgdNonconvexRuns& runs, size_t claim) {
    return !sgd_nonconvex_claims(runs)[claim].as_expected();
  };
  for (size_t claim = 0; claim < 5; ++claim) CHECK_FALSE(unexpected(honest, claim));
  SgdNonconvexRuns runs = honest;
  runs.averages[0].gradient_norm.value *= 2;
  CHECK(unexpected(runs, 0));
  runs = honest;
  runs.averages[1].telescoped.value *= 5;
  CHECK(unexpected(runs, 1));
  runs = honest;
  runs.averages[0].largest_second_moment *= 2.1;
  CHECK(unexpected(runs, 0));  // then the theorem does not apply
  CHECK(unexpected(runs, 2));
  runs = honest;
  runs.descent[1] = 1;
  CHECK(unexpected(runs, 3));
  runs = honest;
  runs.averages[1].gradient_norm.value = 1e-9;
  runs.averages[1].gradient_norm.uncertainty = 0;
  CHECK(unexpected(runs, 4));
}
