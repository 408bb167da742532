// Oracle: the eigenvalues the matrices were built from, or that are known in closed form.
#include "plumb/analysis/shift_invert.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
EigenpairResult nearest(const Tensor& a, double shift, const LanczosOptions& options) {
  at::Generator generator = Seed(12).stream("shift");
  return shift_invert(a, shift, options, generator);
}
}  // namespace

TEST_CASE("the small end of a stiff spectrum comes in few steps", "[analysis][shift_invert]") {
  const Tensor lambda = at::logspace(-9, 2, 150, 10, torch::kDouble);
  const Tensor a = with_eigenvalues(lambda);
  const EigenpairResult found = nearest(a, -1e-10, {.count = 3});
  CHECK(found.converged);
  CHECK(found.products < 100);
  // The matrix has its small eigenvalues to the rounding of its entries only, about 1e-14.
  CHECK(largest_difference(found.eigenvalues, lambda.narrow(0, 0, 3)) < 1e-13);
  const Tensor& v = found.eigenvectors;
  CHECK(largest_difference((at::mm(a, v) - v * found.eigenvalues).norm(2, {0}), found.residuals) < 1e-12);
  CHECK(found.residuals.max().item<double>() < 1e-12);
}

TEST_CASE("eigenvalues on both sides of an inner shift come nearest first", "[analysis][shift_invert]") {
  const Tensor a = with_eigenvalues(at::linspace(0, 1, 101, torch::kDouble));
  const EigenpairResult found = nearest(a, 0.504, {.count = 4});
  CHECK(found.converged);
  CHECK(largest_difference(found.eigenvalues, torch::tensor({0.50, 0.51, 0.49, 0.52}, torch::kDouble)) <
        1e-12);
  CHECK_FALSE(InverseOperator(a, 0.504).definite());
  CHECK(InverseOperator(a, -0.001).definite());
}

TEST_CASE("the inverse operators invert", "[analysis][shift_invert]") {
  const Tensor a = with_eigenvalues(at::linspace(1, 5, 30, torch::kDouble));
  const Tensor identity = at::eye(30, torch::kDouble);
  for (const double shift : {0.5, 3.01}) {
    const Tensor product = at::mm(a - shift * identity, dense_matrix(InverseOperator(a, shift)));
    CHECK(largest_difference(product, identity) < 1e-12);
  }
  const DenseSymmetricOperator whole(a);
  const IterativeInverseOperator iterative(whole, 0.5);
  CHECK(largest_difference(at::mm(a - 0.5 * identity, iterative.apply(identity)), identity) < 1e-9);
  CHECK(iterative.converged());
  CHECK_THROWS_AS(IterativeInverseOperator(whole, 3.01).apply(identity), ContractError);
}

TEST_CASE("conjugate gradients reach the smallest eigenvalues of an operator", "[analysis][shift_invert]") {
  const int64_t n = 100;
  const Tensor a = laplacian(n);
  at::Generator generator = Seed(12).stream("operator");
  const EigenpairResult found = shift_invert(DenseSymmetricOperator(a), 0, {.count = 2}, generator);
  CHECK(found.converged);
  CHECK(largest_difference(found.eigenvalues, laplacian_eigenvalues(n).narrow(0, 0, 2)) < 1e-11);
  // Solves that never reach what is asked of them are not passed over, good as the pairs may be.
  const EigenpairResult strict = shift_invert(DenseSymmetricOperator(a), 0, {.count = 1, .products = 60},
                                              generator, {.tolerance = 1e-18, .iterations = 150});
  CHECK(strict.value() == Approx(laplacian_eigenvalues(n)[0].item<double>()));
  CHECK_FALSE(strict.converged);
}

TEST_CASE("a shift that is an eigenvalue is refused", "[analysis][shift_invert]") {
  CHECK_THROWS_AS(InverseOperator(at::zeros({3, 3}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(nearest(at::eye(4, torch::kDouble), 1, {}), ContractError);
}
