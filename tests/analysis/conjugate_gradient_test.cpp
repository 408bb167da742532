// Oracle: right-hand sides made from chosen solutions, and the closed solution of -u'' = 1 on a grid.
#include "plumb/analysis/conjugate_gradient.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
Tensor normal_block(int64_t rows, int64_t columns) {
  at::Generator generator = Seed(9).stream("block");
  return at::randn({rows, columns}, generator, at::TensorOptions(at::kDouble));
}
}  // namespace

TEST_CASE("the discrete parabola solves the Laplacian's system", "[analysis][solve]") {
  // -u(i-1) + 2 u(i) - u(i+1) = 1 with u(0) = u(n+1) = 0 has u(i) = i (n + 1 - i) / 2.
  const int64_t n = 80;
  const SolveResult found =
      conjugate_gradient(DenseSymmetricOperator(laplacian(n)), at::ones({n, 1}, torch::kDouble));
  const Tensor i = at::arange(1, n + 1, at::TensorOptions(at::kDouble));
  CHECK(found.converged);
  CHECK(largest_difference(found.solution.squeeze(1), i * (n + 1 - i) / 2) < 1e-6);
  CHECK(found.residuals[0].item<double>() <= 1e-10);
  CHECK(found.iterations <= n);
}

TEST_CASE("columns of different difficulty are solved side by side", "[analysis][solve]") {
  const Tensor a = with_eigenvalues(at::logspace(0, -3, 60, 10, torch::kDouble));
  Tensor x = normal_block(60, 4);
  x.select(1, 2).zero_();
  const SolveResult found = conjugate_gradient(DenseSymmetricOperator(a), at::mm(a, x));
  CHECK(found.converged);
  CHECK(largest_difference(found.solution, x) < 1e-6);
  CHECK(found.residuals[2].item<double>() == 0);
}

TEST_CASE("an ill-conditioned system reports its true residual, converged or not", "[analysis][solve]") {
  const Tensor a = with_eigenvalues(at::logspace(0, -10, 100, 10, torch::kDouble));
  const Tensor b = normal_block(100, 2);
  for (const int64_t iterations : {20, 3000}) {
    const SolveResult found = conjugate_gradient(DenseSymmetricOperator(a), b, {.iterations = iterations});
    const Tensor residuals = (b - at::mm(a, found.solution)).norm(2, {0}) / b.norm(2, {0});
    CHECK(largest_difference(residuals, found.residuals) < 1e-9);
    CHECK(found.converged == (residuals <= 1e-10).all().item<bool>());
    CHECK(found.iterations <= iterations);
  }
}

TEST_CASE("the exact inverse as preconditioner needs one step", "[analysis][solve]") {
  const Tensor diagonal = at::logspace(0, -8, 50, 10, torch::kDouble);
  const DenseSymmetricOperator a(at::diag(diagonal));
  const Tensor b = normal_block(50, 1);
  const SolveResult found = conjugate_gradient(
      a, b, {.preconditioner = [&](const Tensor& r) { return r / diagonal.unsqueeze(1); }});
  CHECK(found.converged);
  CHECK(found.iterations == 1);
}

TEST_CASE("a singular system is solved for right-hand sides in its range", "[analysis][solve]") {
  const Tensor a = with_eigenvalues(torch::tensor({2.0, 1.0, 0.5, 0.0}, torch::kDouble));
  const Tensor b = at::mm(a, normal_block(4, 1));
  const SolveResult found = conjugate_gradient(DenseSymmetricOperator(a), b);
  CHECK(found.converged);
  CHECK(largest_difference(at::mm(a, found.solution), b) < 1e-9);
}

TEST_CASE("an indefinite operator is noticed, and bad input is refused", "[analysis][solve]") {
  const DenseSymmetricOperator a(at::diag(torch::tensor({1.0, -1.0}, torch::kDouble)));
  const SolveResult found = conjugate_gradient(a, torch::tensor({{1.0}, {2.0}}, torch::kDouble));
  CHECK(found.indefinite);
  CHECK_FALSE(found.converged);
  CHECK_THROWS_AS(conjugate_gradient(a, at::ones({3, 1}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(conjugate_gradient(a, at::full({2, 1}, double{NAN}, torch::kDouble)), ContractError);
}
