// Oracle: a local minimum checked by moving away from it; layers whose rank is known; measurements changed by
// hand, which the claims must catch.
#include "plumb/lecture/soudry_carmon.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_soudry_carmon(Systems& registry);
}

namespace {

RankDraws draws_of(std::vector<theory::Bounds> ranks, const theory::NoisyLayer& layer) {
  return {"here", layer, std::move(ranks)};
}

SoudryCarmonRuns honest_soudry_runs() {
  SoudryCarmonRuns runs;
  runs.noisy = {draws_of({6, 6}, {6, 2, 3, 0.1, 1, 0.1})};
  runs.relu_noisy = draws_of({5, 6}, {6, 2, 3, 0, 1, 0.1});
  runs.cone = draws_of({2, 2}, {6, 2, 3, 0.1, 0, 0.1});
  runs.plane = draws_of({6, 5}, {6, 2, 3, 0.1, 0, 0.1});
  runs.relu = draws_of({4, 5}, {6, 2, 3, 0, 0, 0.1});
  // MSE 1e-20 is within 6 (1e-11/(2 0.1))^2.
  runs.trained = {{6, 2, 3, 0.1, 1, 0.1}, 1e-20, 1e-11, 0.1, 0.01, 100};
  runs.one_cone = {{6, 2, 3, 0.1, 0, 0.1}, 0.4, 1e-16, 0, 0.01, 0};
  return runs;
}

bool unexpected_soudry(const SoudryCarmonRuns& runs, size_t claim) {
  return !soudry_carmon_claims(runs)[claim].as_expected();
}

}  // namespace

TEST_CASE("S4: all claims come out as expected", "[lecture][soudry_carmon]") {
  Systems registry;
  register_Systems_soudry_carmon(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "soudry_carmon").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 18);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S4: without noise a layer in one cone has rank d0, with noise rank n",
          "[lecture][soudry_carmon]") {
  at::Generator generator = Seed(2).stream("test");
  const auto ranks = [&](double noise) {
    return draw_ranks({8, 3, 4, 0.2, noise, 1}, UnitDirections::one_cone, 0, 3, generator).ranks;
  };
  CHECK((ranks(0) == std::vector<theory::Bounds>{3, 3, 3}));
  CHECK((ranks(1) == std::vector<theory::Bounds>{8, 8, 8}));
}

TEST_CASE("S4: a linear network has rank d0 however many layers it has", "[lecture][soudry_carmon]") {
  at::Generator generator = Seed(3).stream("test");
  const RankDraws draws = draw_ranks({8, 3, 4, 1, 0, 1}, UnitDirections::gaussian, 2, 2, generator);
  CHECK((draws.ranks == std::vector<theory::Bounds>{3, 3}));
  CHECK(draws.full_share() == 0);
  CHECK(draws.generic() == 8);
}

TEST_CASE("S4: the minimum in one cone leaves the labels' part outside d0 dimensions",
          "[lecture][soudry_carmon]") {
  at::Generator generator = Seed(4).stream("test");
  double error = 0;
  for (int i = 0; i < 200; ++i) {
    const LocalMinimum minimum = one_cone_minimum({12, 3, 4, 0.1, 0, 1}, generator);
    error += minimum.error / 200;
    CHECK(minimum.gradient_norm < 1e-12);
    CHECK(minimum.smallest < 1e-12);
  }
  // (n - d0)/n of a standard normal's square; the mean of 200 has a deviation of 0.025.
  CHECK(error == Approx(0.75).margin(0.1));
}

TEST_CASE("S4: every claim catches a wrong measurement", "[lecture][soudry_carmon]") {
  SoudryCarmonRuns runs = honest_soudry_runs();
  REQUIRE(soudry_carmon_claims(runs).size() == 11);
  for (size_t claim = 0; claim < 11; ++claim) {
    INFO(claim);
    CHECK_FALSE(unexpected_soudry(runs, claim));
  }
  runs.noisy[0].ranks[1] = 5;
  CHECK(unexpected_soudry(runs, 0));
  runs.relu_noisy.layer.negative_slope = 0.1;
  CHECK(unexpected_soudry(runs, 1));
  runs.cone.ranks[0] = 3;
  CHECK(unexpected_soudry(runs, 2));
  runs.cone.ranks = {6, 6};
  CHECK(unexpected_soudry(runs, 3));
  runs.plane.ranks = {6, 6};
  CHECK(unexpected_soudry(runs, 4));
  runs.relu.ranks = {6, std::nan("")};
  CHECK(unexpected_soudry(runs, 5));
  runs.trained.smallest = 10;
  CHECK(unexpected_soudry(runs, 6));
  runs.trained.error = 1e-10;
  CHECK(unexpected_soudry(runs, 7));
  runs.one_cone.gradient_norm = 1e-6;
  CHECK(unexpected_soudry(runs, 8));
  runs.one_cone.clearance = 0;
  CHECK(unexpected_soudry(runs, 9));
  runs.one_cone.error = 0;
  CHECK(unexpected_soudry(runs, 10));
}
