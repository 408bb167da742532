// Oracle: the eigenvalues the matrices were built from.
#include "plumb/analysis/power_iteration.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
EigenpairResult iterate(const Tensor& a, const PowerIterationOptions& options = {}) {
  at::Generator generator = Seed(4).stream("power");
  return power_iteration(DenseSymmetricOperator(a), options, generator);
}
}  // namespace

TEST_CASE("the eigenvalue of largest modulus is found, of either sign", "[analysis][power]") {
  for (const double top : {3.0, -3.0}) {
    const Tensor a = with_eigenvalues(torch::tensor({top, 2.0, -1.0, 0.5, 0.0}, torch::kDouble));
    const EigenpairResult found = iterate(a, {.tolerance = 1e-9});
    CHECK(found.converged);
    CHECK(found.value() == Approx(top).epsilon(1e-12));
    CHECK((at::mm(a, found.eigenvectors) - found.eigenvectors * found.value()).norm().item<double>() ==
          Approx(found.residual()).margin(1e-13));
  }
}

TEST_CASE("equal moduli of opposite sign do not converge, and the residual says so", "[analysis][power]") {
  const EigenpairResult found =
      iterate(at::diag(torch::tensor({1.0, -1.0, 0.1}, torch::kDouble)), {.iterations = 50});
  CHECK_FALSE(found.converged);
  CHECK(found.iterations == 50);
  CHECK(found.residual() > 0.1);
}

TEST_CASE("zero, size 1 and operators that are not finite end at once", "[analysis][power]") {
  CHECK(iterate(at::zeros({3, 3}, torch::kDouble)).value() == 0);
  CHECK(iterate(at::zeros({3, 3}, torch::kDouble)).converged);
  CHECK(iterate(at::full({1, 1}, 5.0, torch::kDouble)).value() == 5);
  CHECK_THROWS_AS(iterate(at::full({2, 2}, double{NAN}, torch::kDouble)), ContractError);
}
