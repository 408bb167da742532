// Oracle: the eigenvalues the matrices were built from, or that are known in closed form.
#include "plumb/analysis/lobpcg.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

EigenpairResult block_solve(const Tensor& a, const LobpcgOptions& options) {
  at::Generator generator = Seed(11).stream("lobpcg");
  return lobpcg(DenseSymmetricOperator(a), options, generator);
}

void check_block(const Tensor& a, const EigenpairResult& result, const Tensor& expected, double within) {
  INFO("iterations " << result.iterations << ", products " << result.products);
  REQUIRE(result.converged);
  CHECK(largest_difference(result.eigenvalues, expected) < within);
  const Tensor& v = result.eigenvectors;
  CHECK(largest_difference((at::mm(a, v) - v * result.eigenvalues).norm(2, {0}), result.residuals) < 1e-13);
  CHECK(largest_difference(at::mm(v.t(), v), at::eye(v.size(1), torch::kDouble)) < 1e-12);
}

}  // namespace

TEST_CASE("a block finds both ends of the Laplacian", "[analysis][lobpcg]") {
  const Tensor a = laplacian(120);
  const Tensor exact = laplacian_eigenvalues(120);
  check_block(a, block_solve(a, {.count = 4}), exact.narrow(0, 0, 4), 1e-10);
  check_block(a, block_solve(a, {.count = 3, .end = SpectrumEnd::largest}), exact.narrow(0, 117, 3).flip(0),
              1e-10);
}

TEST_CASE("a multiple eigenvalue comes with all copies that fit the block", "[analysis][lobpcg]") {
  Tensor lambda = at::linspace(1, 3, 90, torch::kDouble);
  lambda.narrow(0, 0, 4).fill_(0.25);
  const Tensor a = with_eigenvalues(lambda);
  check_block(a, block_solve(a, {.count = 4}), at::full({4}, 0.25, torch::kDouble), 1e-12);
}

TEST_CASE("a preconditioner saves iterations and leaves the answer", "[analysis][lobpcg]") {
  const Tensor lambda = at::logspace(0, 5, 200, 10, torch::kDouble);
  const Tensor a = at::diag(lambda);
  const EigenpairResult plain = block_solve(a, {.count = 2, .tolerance = 1e-11});
  const EigenpairResult helped =
      block_solve(a, {.count = 2, .tolerance = 1e-11, .preconditioner = [&](const Tensor& r) {
                        return r / (lambda * 1.3).unsqueeze(1);
                      }});
  check_block(a, helped, lambda.narrow(0, 0, 2), 1e-6);
  CHECK(helped.iterations * 3 < plain.iterations);
}

TEST_CASE("converged vectors ask for no more products", "[analysis][lobpcg]") {
  // Three eigenvalues stand far apart, the fourth is close to the rest.
  Tensor lambda = at::linspace(1, 1.2, 150, torch::kDouble);
  lambda.narrow(0, 0, 4).copy_(torch::tensor({-30.0, -20.0, -10.0, 0.99}, torch::kDouble));
  const Tensor a = with_eigenvalues(lambda);
  const EigenpairResult found = block_solve(a, {.count = 4, .tolerance = 1e-10, .block = 4});
  check_block(a, found, lambda.narrow(0, 0, 4), 1e-7);
  CHECK(found.products < 4 * found.iterations * 3 / 4);
}

TEST_CASE("small operators are solved whole", "[analysis][lobpcg]") {
  const Tensor small = laplacian(5);
  check_block(small, block_solve(small, {.count = 5}), laplacian_eigenvalues(5), 1e-13);
  const Tensor one = at::full({1, 1}, 3.0, torch::kDouble);
  check_block(one, block_solve(one, {}), at::full({1}, 3.0, torch::kDouble), 1e-14);
  const Tensor zero = at::zeros({30, 30}, torch::kDouble);
  check_block(zero, block_solve(zero, {.count = 2}), at::zeros({2}, torch::kDouble), 1e-14);
  const Tensor identity = at::eye(40, torch::kDouble);
  check_block(identity, block_solve(identity, {.count = 3}), at::ones({3}, torch::kDouble), 1e-13);
}

TEST_CASE("what has not converged says so", "[analysis][lobpcg]") {
  const Tensor a = laplacian(1000);
  const EigenpairResult found = block_solve(a, {.count = 2, .iterations = 5});
  CHECK_FALSE(found.converged);
  CHECK(found.iterations == 5);
  const Tensor& v = found.eigenvectors;
  CHECK(largest_difference((at::mm(a, v) - v * found.eigenvalues).norm(2, {0}), found.residuals) < 1e-13);
  CHECK(found.residuals.max().item<double>() > 1e-4);
}

TEST_CASE("float32 and bad requests", "[analysis][lobpcg]") {
  const Tensor a = with_eigenvalues(at::linspace(0.5, 4, 100, torch::kDouble));
  const EigenpairResult found = block_solve(a.to(torch::kFloat), {.count = 2});
  CHECK(found.converged);
  CHECK(found.value() == Approx(0.5).epsilon(1e-5));
  CHECK_THROWS_AS(block_solve(at::full({50, 50}, double{NAN}, torch::kDouble), {}), ContractError);
  CHECK_THROWS_AS(block_solve(laplacian(3), {.count = 4}), ContractError);
  CHECK_THROWS_AS(block_solve(laplacian(30), {.count = 4, .block = 3}), ContractError);
}
