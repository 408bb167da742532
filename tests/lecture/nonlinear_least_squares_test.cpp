// Oracle: functions of one and two parameters differentiated by hand; measurements changed by hand, which the
// claims must catch.
#include "plumb/lecture/nonlinear_least_squares.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace plumb {
void register_Systems_nonlinear_least_squares(Systems& registry);
}

namespace {

Tensor numbers(std::vector<double> values) { return torch::tensor(values, torch::kDouble); }

// f(w) = (w_0, w_0 w_1)
Tensor product_predictions(const Tensor& w) { return torch::stack({w[0], w[0] * w[1]}); }
// f(w) = (w, w^2)
Tensor parabola(const Tensor& w) { return torch::cat({w, w.square()}); }

LeastSquaresRuns honest_least_squares() {
  LeastSquaresRuns runs;
  runs.wide.n = 2;
  runs.wide.parameters = 3;
  runs.wide.points = {{0, 1, 5, 1, 2, 0}, {100, 1e-20, 4e-20, 1, 2, 0}};
  runs.slowest = {0, 1, 4, 1, 2, 0};
  runs.narrow.n = 2;
  runs.narrow.parameters = 1;
  runs.narrow.points = {{0, 1, 5, 0, 1, 0}, {100, 0.5, 1e-25, 0, 1, 0}};
  runs.narrow_curvature = 2;
  return runs;
}

bool unexpected_least_squares(const LeastSquaresRuns& runs, size_t claim) {
  return !nonlinear_least_squares_claims(runs)[claim].as_expected();
}

}  // namespace

TEST_CASE("S3: all claims come out as expected", "[lecture][nonlinear_least_squares]") {
  Systems registry;
  register_Systems_nonlinear_least_squares(registry);
  const auto system = Choice<std::unique_ptr<System>()>(registry, "nonlinear_least_squares").make();
  const Evidence evidence = system->run({Seed(1), {}, {}});
  CHECK(evidence.claims.size() == 11);
  for (const Claim& claim : evidence.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.as_expected());
  }
  REQUIRE(evidence.figures.size() == 1);
  CHECK(drawable(evidence.figures[0]));
}

TEST_CASE("S3: a point is measured as computed by hand", "[lecture][nonlinear_least_squares]") {
  // At w = (1, 2), y = (0, 0): f = (1, 2), J = (1 0; 2 1), J J^T = (1 2; 2 5) with eigenvalues 3 -+ sqrt 8,
  // grad L = 2 J^T f = (10, 4).
  const LeastSquaresPoint point = measure_point(product_predictions, numbers({1, 2}), numbers({0, 0}));
  CHECK(point.loss == Approx(5));
  CHECK(point.gradient == Approx(116));
  CHECK(point.smallest == Approx(3 - std::sqrt(8.0)));
  CHECK(point.rank == 2);
  CHECK(point.identity_error < 1e-14);
}

TEST_CASE("S3: descent on a parabola finds its nearest point, which is a strict minimum",
          "[lecture][nonlinear_least_squares]") {
  // The point of (w, w^2) nearest to (0, 2): 2 w + 4 w (w^2 - 2) = 0 at w = sqrt 1.5, L = 1.5 + 0.25,
  // L'' = 2 + 12 w^2 - 8 = 12.
  const LeastSquaresRun run = descend_predictions("", parabola, numbers({2}), numbers({0, 2}), 2000);
  CHECK(run.end.item<double>() == Approx(std::sqrt(1.5)));
  CHECK(run.points.back().loss == Approx(1.75));
  CHECK(run.points.back().smallest == 0);
  CHECK(smallest_hessian_eigenvalue(parabola, run.end, numbers({0, 2})) == Approx(12));
}

TEST_CASE("S3: the network's predictions are those written out", "[lecture][nonlinear_least_squares]") {
  const Tensor inputs = numbers({1, -2}).reshape({1, 2});
  const Tensor w = numbers({0.5, 0.1, -0.3, 0.2, 2, 3});  // W = (0.5 0.1; -0.3 0.2), v = (2, 3)
  const double expected = (2 * std::tanh(0.3) + 3 * std::tanh(-0.7)) / std::sqrt(2.0);
  CHECK(tanh_predictions(inputs, 2)(w).item<double>() == Approx(expected));
}

TEST_CASE("S3: every claim catches a wrong measurement", "[lecture][nonlinear_least_squares]") {
  LeastSquaresRuns runs = honest_least_squares();
  REQUIRE(nonlinear_least_squares_claims(runs).size() == 11);
  for (size_t claim = 0; claim < 11; ++claim) {
    INFO(claim);
    CHECK_FALSE(unexpected_least_squares(runs, claim));
  }
  runs.wide.points[1].identity_error = 1e-6;
  CHECK(unexpected_least_squares(runs, 0));
  runs.wide.points[1].gradient = 3.9e-20;
  CHECK(unexpected_least_squares(runs, 1));
  CHECK(unexpected_least_squares(runs, 2));
  runs.wide.points[0].rank = 1;
  CHECK(unexpected_least_squares(runs, 3));
  runs.wide.points[1].loss = 1e-6;
  CHECK(unexpected_least_squares(runs, 4));
  runs.slowest.gradient = 8;
  CHECK(unexpected_least_squares(runs, 5));
  CHECK(unexpected_least_squares(runs, 6));
  runs.narrow.points[1].rank = 2;
  CHECK(unexpected_least_squares(runs, 7));
  runs.narrow.points[1].gradient = 1e-6;
  CHECK(unexpected_least_squares(runs, 8));
  runs.narrow_curvature = -1;
  CHECK(unexpected_least_squares(runs, 9));
  runs.narrow.points[1].loss = 0;
  CHECK(unexpected_least_squares(runs, 10));
}
