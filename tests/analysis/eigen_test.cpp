// Oracle: spectra the matrices were built from, and the closed form of the 1-D Laplacian.
#include "plumb/analysis/eigen.hpp"

#include <limits>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const ContractError& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("the Laplacian's eigenvalues are those of its closed form", "[analysis][eigen]") {
  const Tensor a = laplacian(50);
  CHECK(largest_difference(symmetric_eigenvalues(a), laplacian_eigenvalues(50)) < 1e-14 * 50);
  const SymmetricEigen pairs = symmetric_eigen(a);
  CHECK(largest_difference(at::mm(a, pairs.vectors), pairs.vectors * pairs.values) < 1e-14 * 50);
  CHECK(largest_difference(at::mm(pairs.vectors.t(), pairs.vectors), at::eye(50, torch::kDouble)) < 1e-13);
}

TEST_CASE("a float32 matrix is worked on in float64", "[analysis][eigen]") {
  // The entries are exact in float32, so only the arithmetic could lose digits.
  const Tensor values = symmetric_eigenvalues(laplacian(50).to(torch::kFloat));
  CHECK(values.scalar_type() == torch::kDouble);
  CHECK(largest_difference(values, laplacian_eigenvalues(50)) < 1e-14 * 50);
}

TEST_CASE("singular values of wide, tall and square matrices are those they were built from",
          "[analysis][eigen]") {
  const Tensor sigma = torch::tensor({3.0, 1.0, 1e-4, 1e-10}, torch::kDouble);
  for (const int64_t columns : {4, 5, 40}) {
    const Tensor a = with_singular_values(sigma, columns);
    CHECK(largest_difference(singular_values(a), sigma) < 1e-14);
    CHECK(largest_difference(singular_values(a.t()), sigma) < 1e-14);
  }
}

TEST_CASE("input without eigenvalues is refused with what was found", "[analysis][eigen]") {
  const Tensor a = laplacian(3);
  CHECK(refusal([&] { symmetric_eigenvalues(a.narrow(0, 0, 2)); }) ==
        "symmetric matrix: 2 x 3; a square matrix is expected");
  const Tensor lopsided = torch::tensor({{1.0, 2.0}, {2.5, 1.0}}, torch::kDouble);
  CHECK_THAT(refusal([&] { symmetric_eigenvalues(lopsided); }),
             ContainsSubstring("differs from its transpose by 0.5 where the largest entry is 2.5"));
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Tensor spoilt = a.clone();
    spoilt[1][1] = bad;
    CHECK_THAT(refusal([&] { symmetric_eigen(spoilt); }),
               ContainsSubstring("1 of 9 entries are not finite; finite entries are expected"));
    CHECK_THROWS_AS(singular_values(spoilt), ContractError);
  }
  CHECK_THROWS_AS(symmetric_eigenvalues(a.to(torch::kLong)), ContractError);
  CHECK_THROWS_AS(symmetric_eigenvalues(at::empty({0, 0}, torch::kDouble)), ContractError);
}

TEST_CASE("entries whose sum overflows are still finite", "[analysis][eigen]") {
  const Tensor a = at::eye(3, torch::kDouble) * 1e308;
  CHECK(symmetric_eigenvalues(a)[2].item<double>() == Approx(1e308));
}

TEST_CASE("eigenvectors past LAPACK's workspace are refused before any work", "[analysis][eigen]") {
  // Expanded from one number: it has the size without the memory. 1 + 6 n + 2 n^2 passes 2^31 - 1 at 32,767.
  CHECK(1 + 6 * largest_size_with_eigenvectors +
            2 * largest_size_with_eigenvectors * largest_size_with_eigenvectors <=
        std::numeric_limits<int32_t>::max());
  const int64_t n = largest_size_with_eigenvectors + 1;
  CHECK(1 + 6 * n + 2 * n * n > std::numeric_limits<int32_t>::max());
  const Tensor huge = at::zeros({1, 1}, torch::kDouble).expand({n, n});
  CHECK_THAT(refusal([&] { symmetric_eigen(huge); }),
             ContainsSubstring("eigenvectors: 32767 rows; at most 32766 are possible"));
}
