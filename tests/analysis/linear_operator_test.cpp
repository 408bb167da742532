// Oracle: the entries of small matrices, multiplied out by hand, and dense products of the matrices.
#include "plumb/analysis/linear_operator.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
const Tensor wide = torch::tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, torch::kDouble);
}

TEST_CASE("a dense operator multiplies by its matrix and by the transpose", "[analysis][operator]") {
  const DenseOperator a(wide);
  CHECK(a.rows() == 2);
  CHECK(a.columns() == 3);
  const Tensor x = torch::tensor({{1.0}, {0.0}, {-1.0}}, torch::kDouble);
  CHECK(at::equal(a.apply(x), torch::tensor({{-2.0}, {-2.0}}, torch::kDouble)));
  const Tensor y = torch::tensor({{1.0}, {1.0}}, torch::kDouble);
  CHECK(at::equal(a.apply_transposed(y), torch::tensor({{5.0}, {7.0}, {9.0}}, torch::kDouble)));
  CHECK_THROWS_AS(a.apply(y), ContractError);
  CHECK_THROWS_AS(a.apply(x.squeeze(1)), ContractError);
}

TEST_CASE("the Gram operator of either side multiplies by that Gram matrix", "[analysis][operator]") {
  const DenseOperator a(wide);
  const Tensor rows = torch::tensor({{14.0, 32.0}, {32.0, 77.0}}, torch::kDouble);
  CHECK(at::equal(dense_matrix(GramOperator(a, GramSide::rows)), rows));
  const Tensor columns =
      torch::tensor({{17.0, 22.0, 27.0}, {22.0, 29.0, 36.0}, {27.0, 36.0, 45.0}}, torch::kDouble);
  CHECK(at::equal(dense_matrix(GramOperator(a, GramSide::columns)), columns));
}

TEST_CASE("a shifted operator adds a multiple of the identity", "[analysis][operator]") {
  const Tensor matrix = torch::tensor({{1.0, 2.0}, {2.0, 5.0}}, torch::kDouble);
  const DenseSymmetricOperator a(matrix);
  const Tensor expected = torch::tensor({{7.0, -4.0}, {-4.0, -1.0}}, torch::kDouble);
  CHECK(at::equal(dense_matrix(ShiftedOperator(a, 9, -2)), expected));
}

TEST_CASE("an operator of functions is the matrix they multiply by, whatever the block",
          "[analysis][operator]") {
  const FunctionOperator a(
      2, 3, wide.options(), [](const Tensor& x) { return at::mm(wide, x); },
      [](const Tensor& y) { return at::mm(wide.t(), y); });
  CHECK(at::equal(dense_matrix(a), wide));
  CHECK(at::equal(dense_matrix(a, 2), wide));
  const SymmetricFunctionOperator doubled(3, wide.options(), [](const Tensor& x) { return 2 * x; });
  CHECK(at::equal(dense_matrix(doubled, 1), 2 * at::eye(3, torch::kDouble)));
  const SymmetricFunctionOperator wrong(3, wide.options(), [](const Tensor& x) { return x.narrow(0, 0, 2); });
  CHECK_THROWS_AS(dense_matrix(wrong), ContractError);
}
