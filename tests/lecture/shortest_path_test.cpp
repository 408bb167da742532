// Oracle: measurements changed by hand, which the claims must catch.
#include "plumb/lecture/shortest_path.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_shortest_path(Systems& registry);
}

namespace {

/// A run in a quadratic landscape of one mode: alpha = beta = 1, r_0 = 1, the residual halved each step.
ShortPathRun honest_short_path() {
  ShortPathRun run;
  run.n = run.width = 1;
  run.local = {1, 1, 1e-6, 1, 0.5, 1, 1};
  run.sigma_start = 1 + 4e-6;
  run.steps = {1, 2, 3};
  run.residuals = {0.5, 0.25, 1e-10};
  run.displacements = {0.5, 0.75, 1};
  run.path = 1.1;
  run.linear_displacement = 1;
  run.nearest = 1;
  return run;
}

ShortestPathRuns honest_paths() {
  ShortestPathRuns runs;
  runs.wide = honest_short_path();
  runs.narrow = honest_short_path();
  runs.narrow.sigma_start = 1;
  for (const double width : {4.0, 16.0, 64.0})
    runs.hessians.push_back({width, 1 / std::sqrt(width),
                             theory::predicted("H", theory::Relation::equal, 1 / std::sqrt(width), "")});
  runs.hessian_law = theory::fit_power_law({4, 16, 64}, {0.5, 0.25, 0.125});
  runs.gaussians = {{2, 2, {3, 0.1, ""}}};
  return runs;
}

bool unexpected_path(const ShortestPathRuns& runs, size_t claim) {
  return !shortest_path_claims(runs)[claim].as_expected();
}

}  // namespace

TEST_CASE("S14: all claims come out as expected", "[lecture][shortest_path]") {
  Systems registry;
  register_Systems_shortest_path(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "shortest_path").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 22);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 2);
  for (const Figure& figure : evidence.figures) CHECK(drawable(figure));
}

TEST_CASE("S14: every claim catches a wrong measurement", "[lecture][shortest_path]") {
  ShortestPathRuns runs = honest_paths();
  REQUIRE(shortest_path_claims(runs).size() == 20);
  for (size_t claim = 0; claim < 20; ++claim) {
    INFO(claim << " " << shortest_path_claims(runs)[claim].verdict.text());
    if (claim != 13) CHECK_FALSE(unexpected_path(runs, claim));  // its Hessian is small here
  }
  runs.wide.residuals[1] = 1;
  CHECK(unexpected_path(runs, 0));
  CHECK(unexpected_path(runs, 1));
  CHECK(unexpected_path(runs, 10));
  runs.wide.path = 5;
  CHECK(unexpected_path(runs, 2));
  CHECK(unexpected_path(runs, 8));
  CHECK(unexpected_path(runs, 12));
  runs.wide.nearest_error = 1e-3;
  CHECK(unexpected_path(runs, 3));
  runs.wide.nearest = 0.1;
  CHECK(unexpected_path(runs, 4));
  CHECK(unexpected_path(runs, 5));
  CHECK(unexpected_path(runs, 6));
  runs.wide.displacements.back() = 1.1;
  CHECK(unexpected_path(runs, 7));
  runs.wide.displacements.back() = 6;
  CHECK(unexpected_path(runs, 9));
  CHECK(unexpected_path(runs, 11));
  runs.narrow.sigma_start = 2;
  for (const size_t claim : {14, 15, 16}) CHECK(unexpected_path(runs, claim));
  runs.hessians[1].measured *= 1.01;
  CHECK(unexpected_path(runs, 17));
  runs.hessian_law.exponent = -1;
  CHECK(unexpected_path(runs, 18));
  runs.gaussians[0].log_condition.value = 7;
  CHECK(unexpected_path(runs, 19));
}

TEST_CASE("S14: a Jacobian that becomes worse on the way than promised leaves the hypotheses",
          "[lecture][shortest_path]") {
  ShortestPathRuns runs = honest_paths();
  runs.wide.local.observed_smallest = 0.9;
  CHECK(shortest_path_claims(runs)[0].verdict.ruling == theory::Ruling::hypotheses_not_met);
}
