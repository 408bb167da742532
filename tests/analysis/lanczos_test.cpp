// Oracle: the eigenvalues the matrices were built from, or that are known in closed form.
#include "plumb/analysis/lanczos.hpp"

#include <limits>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

at::Generator start() { return Seed(2).stream("lanczos"); }

EigenpairResult solve(const Tensor& a, const LanczosOptions& options) {
  at::Generator generator = start();
  return lanczos(DenseSymmetricOperator(a), options, generator);
}

/// Whether the pairs are eigenpairs of `a` to the residuals they state, orthonormal, and the `expected`
/// values.
void check_pairs(const Tensor& a, const EigenpairResult& result, const Tensor& expected, double within) {
  REQUIRE(result.converged);
  REQUIRE(result.eigenvalues.numel() == expected.numel());
  CHECK(largest_difference(result.eigenvalues, expected) < within);
  const Tensor& v = result.eigenvectors;
  const Tensor residuals = (at::mm(a, v) - v * result.eigenvalues).norm(2, {0});
  CHECK(largest_difference(residuals, result.residuals) < 1e-13);
  const Tensor gram = at::mm(v.t(), v);
  CHECK(largest_difference(gram, at::eye(v.size(1), torch::kDouble)) < 1e-6);
}

}  // namespace

TEST_CASE("both ends of the Laplacian's spectrum are found", "[analysis][lanczos]") {
  const int64_t n = 300;
  const Tensor a = laplacian(n);
  const Tensor exact = laplacian_eigenvalues(n);
  const EigenpairResult bottom = solve(a, {.count = 4, .end = SpectrumEnd::smallest});
  check_pairs(a, bottom, exact.narrow(0, 0, 4), 1e-10);
  const EigenpairResult top = solve(a, {.count = 4, .end = SpectrumEnd::largest});
  check_pairs(a, top, exact.narrow(0, n - 4, 4).flip(0), 1e-10);
  CHECK(top.iterations > 0);
}

TEST_CASE("multiple eigenvalues are found with all their copies", "[analysis][lanczos]") {
  Tensor lambda = at::linspace(0, 1, 100, torch::kDouble);
  lambda.narrow(0, 90, 6).fill_(2);
  lambda.narrow(0, 96, 4).fill_(3);
  const Tensor a = with_eigenvalues(lambda);
  const EigenpairResult result = solve(a, {.count = 8});
  check_pairs(a, result, torch::tensor({3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0}, torch::kDouble), 1e-9);
  const EigenpairResult once = solve(a, {.count = 2, .multiple = false});
  check_pairs(a, once, torch::tensor({3.0, 2.0}, torch::kDouble), 1e-9);
}

TEST_CASE("a cluster is told apart to the tolerance", "[analysis][lanczos]") {
  Tensor lambda = at::linspace(0, 1, 200, torch::kDouble);
  lambda[199] = 2;
  lambda[198] = 2 - 1e-6;
  lambda[197] = 2 - 2e-6;
  const Tensor a = with_eigenvalues(lambda);
  const EigenpairResult result = solve(a, {.count = 3, .tolerance = 1e-12});
  check_pairs(a, result, torch::tensor({2.0, 2 - 1e-6, 2 - 2e-6}, torch::kDouble), 1e-11);
}

TEST_CASE("identity, zero, size 1 and every pair of a small matrix are found", "[analysis][lanczos]") {
  const Tensor identity = at::eye(20, torch::kDouble);
  check_pairs(identity, solve(identity, {.count = 3}), at::ones({3}, torch::kDouble), 1e-14);
  const Tensor zero = at::zeros({5, 5}, torch::kDouble);
  check_pairs(zero, solve(zero, {.count = 2, .end = SpectrumEnd::smallest}), at::zeros({2}, torch::kDouble),
              1e-14);
  const Tensor one = at::full({1, 1}, -7, torch::kDouble);
  check_pairs(one, solve(one, {}), at::full({1}, -7, torch::kDouble), 1e-14);
  const Tensor small = laplacian(6);
  check_pairs(small, solve(small, {.count = 6, .end = SpectrumEnd::smallest}), laplacian_eigenvalues(6),
              1e-13);
}

TEST_CASE("a small basis restarts and still converges", "[analysis][lanczos]") {
  const Tensor lambda = at::linspace(-1, 1, 400, torch::kDouble).pow(3);
  const Tensor a = with_eigenvalues(lambda);
  const EigenpairResult result = solve(a, {.count = 2, .basis = 8});
  check_pairs(a, result, lambda.narrow(0, 398, 2).flip(0), 1e-9);
  CHECK(result.iterations > 3);
}

TEST_CASE("what has not converged says so with residuals that are true", "[analysis][lanczos]") {
  const Tensor a = laplacian(2000);
  const EigenpairResult result = solve(a, {.count = 2, .end = SpectrumEnd::smallest, .products = 60});
  CHECK_FALSE(result.converged);
  CHECK(result.products <= 62);
  const Tensor v = result.eigenvectors;
  const Tensor residuals = (at::mm(a, v) - v * result.eigenvalues).norm(2, {0});
  CHECK(largest_difference(residuals, result.residuals) < 1e-12);
  CHECK(result.residuals.max().item<double>() > 1e-6);
  // Each residual bounds the distance to some eigenvalue (Weyl).
  const Tensor distance = (result.eigenvalues.unsqueeze(1) - laplacian_eigenvalues(2000)).abs().amin(1);
  CHECK((distance <= result.residuals + 1e-13).all().item<bool>());
}

TEST_CASE("float32 operators converge to their own precision", "[analysis][lanczos]") {
  const Tensor a = with_eigenvalues(at::linspace(0.1, 4, 150, torch::kDouble)).to(torch::kFloat);
  const EigenpairResult result = solve(a, {.count = 3});
  CHECK(result.converged);
  CHECK(result.eigenvalues.scalar_type() == torch::kDouble);
  CHECK(result.eigenvalues[0].item<double>() == Approx(4).epsilon(1e-5));
  CHECK(result.eigenvectors.scalar_type() == torch::kFloat);
}

TEST_CASE("the same generator state gives the same pairs", "[analysis][lanczos]") {
  const Tensor a = laplacian(100);
  CHECK(at::equal(solve(a, {.count = 3}).eigenvectors, solve(a, {.count = 3}).eigenvectors));
}

TEST_CASE("an operator that is not finite and a request that cannot be met are refused",
          "[analysis][lanczos]") {
  Tensor a = laplacian(10);
  a[3][3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(solve(a, {}), ContractError);
  CHECK_THROWS_AS(solve(laplacian(3), {.count = 4}), ContractError);
  CHECK_THROWS_AS(solve(laplacian(30), {.count = 4, .basis = 5}), ContractError);
}
