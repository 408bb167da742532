// Oracle: known constants; measurements changed by hand, each of which must be caught by the claim about it.
#include "plumb/lecture/gd_pl.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_gd_pl(Systems& registry);
}

namespace {

GdPlRuns honest_descents() {
  const Tensor inputs = torch::diag(torch::tensor({1.0, 2.0, 3.0}, torch::kDouble));
  const auto along = [](double a, double b, double c) { return torch::tensor({a, b, c}, torch::kDouble); };
  return {descend_wavy(5, 30), descend_least_squares(inputs, along(1, 1, 1), 1, 50),
          descend_least_squares(inputs, along(1, 0, 0), 1, 50),
          descend_least_squares(inputs, along(0, 0, 1), 2.2, 20)};
}

bool all_as_expected(const std::vector<Claim>& claims) {
  bool all = true;
  for (const Claim& claim : claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
    all = all && claim.as_expected();
  }
  return all;
}

}  // namespace

TEST_CASE("S1: all claims come out as expected", "[lecture][gd_pl]") {
  Systems registry;
  register_Systems_gd_pl(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "gd_pl").make();
  CHECK(system->statement().id == "S1");
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 9);
  CHECK(all_as_expected(evidence.claims));
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S1: the constants of diagonal least squares are its extreme eigenvalues", "[lecture][gd_pl]") {
  const GdPlRuns runs = honest_descents();
  CHECK(runs.generic.problem.mu == Approx(4));
  CHECK(runs.generic.problem.smoothness == Approx(18));
  CHECK(runs.slowest.gaps[10] == Approx(std::pow(1 - 2.0 / 18, 20)));
  CHECK(runs.slowest.ratios[10] == Approx(4));
  CHECK(all_as_expected(gd_pl_claims(runs)));
}

TEST_CASE("S1: every claim catches a wrong measurement", "[lecture][gd_pl]") {
  const auto unexpected = [](const GdPlRuns& runs, size_t claim) {
    return !gd_pl_claims(runs)[claim].as_expected();
  };
  GdPlRuns runs = honest_descents();
  runs.wavy.problem.mu *= 1.001;
  CHECK(unexpected(runs, 0));
  runs.wavy.problem.mu /= 10;
  CHECK(unexpected(runs, 2));
  runs = honest_descents();
  runs.wavy.problem.smoothness = 7.99;
  CHECK(unexpected(runs, 1));
  runs = honest_descents();
  runs.wavy.gaps[7] = 0.99 * runs.wavy.gaps[0];
  CHECK(unexpected(runs, 3));
  runs = honest_descents();
  runs.generic.ratios[3] = 3.9;
  CHECK(unexpected(runs, 4));
  CHECK(unexpected(runs, 5));  // the run then shows that mu was no PL constant
  runs = honest_descents();
  runs.generic.gaps[40] = std::nan("");
  CHECK(unexpected(runs, 5));
  runs = honest_descents();
  runs.slowest.gaps[20] = std::sqrt(runs.slowest.gaps[20]) * 1.01;
  CHECK(unexpected(runs, 6));
  runs = honest_descents();
  for (size_t k = 1; k < runs.slowest.gaps.size(); ++k) runs.slowest.gaps[k] = 0;
  CHECK(unexpected(runs, 7));
  runs = honest_descents();
  runs.too_long.step = 1 / runs.too_long.problem.smoothness;
  CHECK(unexpected(runs, 8));
}
