// Oracle: exact moments of spectra the matrices were built from.
#include "plumb/analysis/spectral_density.hpp"

#include <cmath>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
SpectralDensity estimate(const Tensor& a, const SpectralDensityOptions& options) {
  at::Generator generator = Seed(8).stream("density");
  return spectral_density(DenseSymmetricOperator(a), options, generator);
}
}  // namespace

TEST_CASE("moments agree with the exact ones to their standard error", "[analysis][density]") {
  const Tensor lambda = at::linspace(-1, 2, 150, torch::kDouble);
  const SpectralDensity found = estimate(with_eigenvalues(lambda), {.steps = 20, .samples = 60});
  CHECK(found.weights.sum().item<double>() == Approx(1).epsilon(1e-12));
  CHECK(found.moment(0) == Approx(1).epsilon(1e-12));
  for (const int k : {1, 2, 3, 6}) {
    const double exact = lambda.pow(k).mean().item<double>();
    CHECK(std::abs(found.moment(k) - exact) < 4 * found.moment_standard_error(k));
    CHECK(found.moment_standard_error(k) < 0.1 * lambda.abs().pow(k).mean().item<double>());
  }
  CHECK(found.mean([](double x) { return x * x; }) == Approx(found.moment(2)).epsilon(1e-12));
  CHECK(found.products == 20 * 60);
}

TEST_CASE("quadrature of one vector is exact for polynomials below twice the steps", "[analysis][density]") {
  const Tensor a = with_eigenvalues(at::linspace(-1, 2, 40, torch::kDouble));
  const SpectralDensity found = estimate(a, {.steps = 4, .samples = 1});
  at::Generator generator = Seed(8).stream("density");
  Tensor v = at::randn({40}, generator, at::TensorOptions(at::kDouble));
  v = v / v.norm();
  Tensor power = v;
  for (int k = 0; k < 8; ++k) {
    CHECK(found.moment(k) == Approx(at::dot(v, power).item<double>()).epsilon(1e-11));
    power = at::mv(a, power);
  }
  CHECK(std::abs(found.moment(8) - at::dot(v, power).item<double>()) > 1e-6);
}

TEST_CASE("as many steps as rows give every eigenvalue once", "[analysis][density]") {
  const Tensor lambda = at::logspace(-6, 0, 50, 10, torch::kDouble);
  const SpectralDensity found = estimate(with_eigenvalues(lambda), {.steps = 50, .samples = 1});
  CHECK(largest_difference(found.nodes[0], lambda) < 1e-13);
}

TEST_CASE("the drawn density integrates to 1 and stands where the eigenvalues are", "[analysis][density]") {
  Tensor lambda = at::zeros({100}, torch::kDouble);
  lambda.narrow(0, 0, 25).fill_(1);
  const SpectralDensity found =
      estimate(with_eigenvalues(lambda), {.steps = 10, .samples = 200, .width = 0.02});
  const Tensor step = found.grid[1] - found.grid[0];
  CHECK((found.density.sum() * step).item<double>() == Approx(1).epsilon(1e-3));
  const Tensor upper = found.density.masked_select(found.grid > 0.5);
  CHECK((upper.sum() * step).item<double>() == Approx(0.25).margin(4 * found.moment_standard_error(1)));
  CHECK(found.moment_standard_error(1) < 0.02);
}

TEST_CASE("equal eigenvalues, size 1 and zero are single nodes", "[analysis][density]") {
  const SpectralDensity identity = estimate(at::eye(12, torch::kDouble), {.steps = 5, .samples = 2});
  CHECK(identity.moment(3) == Approx(1).epsilon(1e-12));
  CHECK(identity.products == 2);
  CHECK(at::isfinite(identity.density).all().item<bool>());
  CHECK(estimate(at::full({1, 1}, 4.0, torch::kDouble), {}).moment(1) == Approx(4));
  CHECK(estimate(at::zeros({3, 3}, torch::kDouble), {}).moment(1) == 0);
  CHECK_THROWS_AS(estimate(at::full({2, 2}, double{NAN}, torch::kDouble), {}), ContractError);
  CHECK_THROWS_AS(estimate(at::eye(2, torch::kDouble), {.steps = 0}), ContractError);
}
