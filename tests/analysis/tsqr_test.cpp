// Oracle: the Gram matrix R^T R = A^T A of a well-conditioned A, and the singular values a matrix was built
// from.
#include "plumb/analysis/tsqr.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

TEST_CASE("the factor of row blocks is that of the whole, however it is cut", "[analysis][tsqr]") {
  at::Generator generator = Seed(3).stream("tsqr");
  const Tensor a = at::randn({53, 7}, generator, at::TensorOptions(at::kDouble));
  for (const int64_t rows : {1, 5, 53, 100}) {
    Tsqr tsqr(7);
    for (const Tensor& block : a.split(rows)) tsqr.add(block);
    CHECK(tsqr.rows() == 53);
    const Tensor r = tsqr.factor();
    CHECK(largest_difference(r, r.triu()) == 0);
    CHECK(largest_difference(at::mm(r.t(), r), at::mm(a.t(), a)) < 1e-12);
  }
}

TEST_CASE("singular values of 1e-12 come through the blocks", "[analysis][tsqr]") {
  const Tensor sigma = at::logspace(0, -12, 10, 10, torch::kDouble);
  const Tensor a = with_singular_values(sigma, 300).t();
  Tsqr tsqr(10);
  for (const Tensor& block : a.split(32)) tsqr.add(block);
  CHECK(largest_difference(tsqr.singular_values(), sigma) < 1e-15);
  CHECK(tsqr.rank().resolved);
  CHECK(tsqr.rank().rows == 300);
}

TEST_CASE("fewer rows than columns give a factor of as many rows", "[analysis][tsqr]") {
  Tsqr tsqr(5);
  tsqr.add(at::eye(5, torch::kDouble).narrow(0, 0, 2));
  tsqr.add(at::empty({0, 5}, torch::kDouble));
  CHECK(tsqr.factor().size(0) == 2);
  CHECK(tsqr.rank().rank == 2);
}

TEST_CASE("one block in float32 sets the resolution of all", "[analysis][tsqr]") {
  Tsqr tsqr(2);
  tsqr.add(at::eye(2, torch::kDouble));
  tsqr.add(at::eye(2, torch::kFloat));
  CHECK(tsqr.rank().dtype == "float32");
}

TEST_CASE("rows that do not fit or are not finite are refused", "[analysis][tsqr]") {
  Tsqr tsqr(3);
  CHECK_THROWS_AS(tsqr.factor(), ContractError);
  CHECK_THROWS_AS(tsqr.add(at::zeros({2, 4}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(tsqr.add(at::full({2, 3}, NAN, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(Tsqr(0), ContractError);
}
