// Oracle: the eigenvalues the matrices were built from, or that are known in closed form.
#include "plumb/analysis/smallest_eigenvalue.hpp"

#include <cmath>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
Tensor decades_down_to(double lowest, int64_t count) {
  return at::logspace(0, std::log10(lowest), count, 10, torch::kDouble);
}
}  // namespace

TEST_CASE("the interval holds the smallest eigenvalue and the certificate stays below it",
          "[analysis][lambda_min]") {
  for (const double least : {1e-1, 1e-4, 1e-8, 1e-11}) {
    const SmallestEigenvalue found = smallest_eigenvalue(with_eigenvalues(decades_down_to(least, 60)));
    INFO(found.text());
    // The matrix itself is the spectrum's only to the rounding of its entries.
    const double blur = 1e-15;
    CHECK(found.lower <= least + blur);
    CHECK(found.upper >= least - blur);
    CHECK(found.upper - found.lower < 1e-13);
    CHECK(found.value == Approx(least).epsilon(1e-3));
    CHECK(found.resolved);
    CHECK(found.certified_lower <= least + blur);
    CHECK(found.certified_lower > 0);
    CHECK(found.certified_lower == Approx(least).epsilon(0.02).margin(1e-12));
    CHECK(found.residual < 1e-13);
    CHECK(found.lambda_max == Approx(1));
    CHECK_FALSE(found.indefinite);
  }
}

TEST_CASE("the Laplacian's smallest eigenvalue is certified from below", "[analysis][lambda_min]") {
  // Entries are exact here, so there is no blur: the bounds must hold strictly.
  const int64_t n = 200;
  const double exact = 4 * std::pow(std::sin(M_PI / (2.0 * (n + 1))), 2);
  const SmallestEigenvalue found = smallest_eigenvalue(laplacian(n));
  CHECK(found.lower <= exact);
  CHECK(found.upper >= exact);
  CHECK(found.certified_lower <= exact);
  CHECK(found.certified_lower > 0.99 * exact);
  CHECK_THAT(found.text(), ContainsSubstring("(dense; certified above 0.000"));
}

TEST_CASE("a singular matrix is never said to be positive", "[analysis][lambda_min]") {
  // Integer entries: these matrices are singular exactly, whatever the rounding of their eigenvalues.
  const Tensor ones = at::ones({40, 40}, torch::kDouble);
  Tensor ring = laplacian(40);
  ring[0][39] = -1;
  ring[39][0] = -1;
  at::Generator generator = Seed(5).stream("integers");
  const Tensor b = at::randint(-9, 10, {40, 25}, generator, at::TensorOptions(at::kDouble));
  for (const Tensor& a : {ones, ring, at::mm(b, b.t()), at::zeros({4, 4}, torch::kDouble)}) {
    const SmallestEigenvalue found = smallest_eigenvalue(a);
    INFO(found.text());
    CHECK(found.lower == 0);
    CHECK(found.certified_lower == 0);
    CHECK_FALSE(found.resolved);
    CHECK(found.value >= 0);
    CHECK(found.value <= found.upper);
    CHECK_THAT(found.text(), ContainsSubstring("not resolved, it may be 0"));
  }
}

TEST_CASE("no certificate is given above a known smallest eigenvalue", "[analysis][lambda_min]") {
  for (const double least : {0.0, -1e-15, -1e-12, -1e-3, 1e-14, 1e-3}) {
    Tensor lambda = decades_down_to(1e-2, 50);
    lambda[49] = least;
    // Diagonal: the spectrum is exact. Turned: it is known to rounding.
    const Tensor exact = at::diag(lambda);
    const Tensor turned = with_eigenvalues(lambda);
    for (const double s : {least - 1e-13, least, least + 1e-16, least + 1e-13, least + 1e-6}) {
      CHECK(certified_lower_bound(exact, s) <= least);
      CHECK(certified_lower_bound(turned, s) <= least + 1e-15);
    }
  }
  CHECK(certified_lower_bound(laplacian(5), 1.0) == -std::numeric_limits<double>::infinity());
}

TEST_CASE("numbers that are not semidefinite are marked, and none is reported as negative",
          "[analysis][lambda_min]") {
  const SmallestEigenvalue found =
      smallest_eigenvalue(with_eigenvalues(torch::tensor({1.0, 0.5, -1e-6}, torch::kDouble)));
  CHECK(found.indefinite);
  CHECK_FALSE(found.resolved);
  CHECK(found.value == 0);
  CHECK(found.lower == 0);
  // The matrix meant is at least as far from these numbers as they are from being semidefinite.
  CHECK(found.upper >= 1e-6 * (1 - 1e-6));
  CHECK(found.computed == Approx(-1e-6).epsilon(1e-6));
}

TEST_CASE("the rounding of a float32 Gram matrix is part of its interval", "[analysis][lambda_min]") {
  const Tensor j = with_singular_values(decades_down_to(1e-3, 30), 400);
  const Tensor j32 = j.to(torch::kFloat);
  const Tensor gram = at::mm(j32, j32.t());
  const SmallestEigenvalue found = smallest_eigenvalue(gram, {.inner = 400});
  CHECK(found.lower <= 1e-6);
  CHECK(found.upper >= 1e-6);
  CHECK(found.error >= (gram.to(torch::kDouble) - at::mm(j, j.t())).norm().item<double>());
  const SmallestEigenvalue upcast =
      smallest_eigenvalue(gram.to(torch::kDouble), {.inner = 400, .dtype = torch::kFloat});
  CHECK(upcast.error == Approx(found.error));
}

TEST_CASE("sizes 1 and identity have their eigenvalue", "[analysis][lambda_min]") {
  const SmallestEigenvalue one = smallest_eigenvalue(at::full({1, 1}, 2.5, torch::kDouble));
  CHECK(one.value == 2.5);
  CHECK(one.resolved);
  CHECK(one.certified_lower == Approx(2.5).epsilon(2e-3));
  const SmallestEigenvalue identity = smallest_eigenvalue(at::eye(9, torch::kFloat), {.factorizations = 0});
  CHECK(identity.value == Approx(1).epsilon(1e-14));
  CHECK(identity.resolved);
  CHECK(identity.certified_size == 0);
  CHECK_THROWS_AS(smallest_eigenvalue(at::full({2, 2}, NAN, torch::kDouble)), ContractError);
}

TEST_CASE("the operator's interval holds the smallest eigenvalue", "[analysis][lambda_min]") {
  at::Generator generator = Seed(1).stream("lanczos");
  const Tensor a = with_eigenvalues(at::linspace(1e-2, 3, 120, torch::kDouble));
  const SmallestEigenvalue found = smallest_eigenvalue(DenseSymmetricOperator(a), {}, generator);
  INFO(found.text());
  CHECK(found.lower <= 1e-2);
  CHECK(found.upper >= 1e-2 - 1e-15);
  CHECK(found.value == Approx(1e-2).epsilon(1e-6));
  CHECK(found.lambda_max == Approx(3));
  CHECK(found.resolved);
  CHECK(found.method == "lanczos");

  const SmallestEigenvalue hasty =
      smallest_eigenvalue(DenseSymmetricOperator(a), {.products = 12}, generator);
  CHECK_FALSE(hasty.resolved);
  CHECK(hasty.upper >= 1e-2);
}
