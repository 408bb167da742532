// Oracles: integers multiplied out by LibTorch, fractions known by hand, fraction-free elimination.
#include "plumb/analysis/exact_matrix.hpp"

#include <cmath>
#include <limits>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/analysis/rank.hpp"
#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

Tensor small_integers(int64_t rows, int64_t columns, const char* purpose) {
  at::Generator generator = Seed(8).stream(purpose);
  return at::randint(-5, 6, {rows, columns}, generator, at::TensorOptions(at::kDouble));
}

int64_t exact_rank_of(std::vector<double> entries, int64_t rows) {
  const auto columns = static_cast<int64_t>(entries.size()) / rows;
  return ExactMatrix(torch::tensor(entries, torch::kDouble).reshape({rows, columns})).rank();
}

}  // namespace

TEST_CASE("one digit in 2^-1074 decides a rank", "[analysis][exact]") {
  const double least = std::numeric_limits<double>::denorm_min();
  const double next = std::nextafter(1.0, 2.0);
  CHECK(exact_rank_of({1, 1, 1, 1}, 2) == 1);
  CHECK(exact_rank_of({1, 1, 1, next}, 2) == 2);
  CHECK(exact_rank_of({1, 1, least, least}, 2) == 1);
  CHECK(exact_rank_of({1, 1, least, 2 * least}, 2) == 2);
  CHECK(exact_rank_of({1e308, 1, 1, 1e-308}, 2) == 2);  // decimal powers are not each other's inverse
  CHECK(exact_rank_of({std::ldexp(1, 1023), 1, 1, std::ldexp(1, -1023)}, 2) == 1);
  CHECK(exact_rank_of({0.1, 0.3, 1, 3}, 2) == 2);  // nor is 0.3 three times 0.1
  CHECK(exact_rank_of({0.1, -0.2, -0.4, 0.8}, 2) == 1);
  CHECK(exact_rank_of({0, 0, 0, 0, 0, 0}, 3) == 0);
  CHECK(ExactMatrix(at::zeros({0, 3}, torch::kDouble)).rank() == 0);
}

TEST_CASE("exact products are those of integers", "[analysis][exact]") {
  const Tensor a = small_integers(7, 4, "a"), b = small_integers(4, 9, "b"), c = small_integers(7, 3, "c");
  // A rank of the difference of two equal matrices, stacked beside each other, is that of one.
  const auto same = [](const ExactMatrix& left, const Tensor& right) {
    const ExactMatrix other(right);
    return left.rank() == other.rank() && left.rows() == right.size(0) && left.columns() == right.size(1);
  };
  CHECK(same(ExactMatrix(a).product(ExactMatrix(b)), at::mm(a, b)));
  CHECK(ExactMatrix(a).product(ExactMatrix(b)).rank() == 4);
  const Tensor rowwise = (a.unsqueeze(2) * c.unsqueeze(1)).reshape({7, 12});
  CHECK(same(ExactMatrix(a).rowwise_kronecker(ExactMatrix(c)), rowwise));
  // Three equal columns of slopes leave the rank of the other factor.
  const Tensor ones = at::full({7, 3}, 0.1, torch::kDouble);
  const Tensor rounded = at::randn({7, 2}, torch::kDouble);
  CHECK(ExactMatrix(ones).rowwise_kronecker(ExactMatrix(rounded)).rank() == 2);
  CHECK(ExactMatrix(b).transposed().rank() == ExactMatrix(b).rank());
  CHECK_THROWS_AS(ExactMatrix(a).product(ExactMatrix(c)), ContractError);
  CHECK_THROWS_AS(ExactMatrix(a).rowwise_kronecker(ExactMatrix(b)), ContractError);
}

TEST_CASE("rows that are zero or multiples of others are counted out", "[analysis][exact]") {
  const Tensor a = torch::tensor({{1.0, 2.0, 3.0},
                                  {0.0, 0.0, 0.0},
                                  {-0.5, -1.0, -1.5},
                                  {1.0, 2.0, 4.0},
                                  {0.0, 1e-300, 0.0},
                                  {0.0, 1.0, 0.0}},
                                 torch::kDouble);
  CHECK(exactly_distinct_directions(a) == 3);
  CHECK(exactly_distinct_directions(a.t()) == 3);
  CHECK_THROWS_AS(exactly_distinct_directions(at::full({1, 1}, NAN, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(ExactMatrix(at::zeros({2, 2}, torch::kLong)), ContractError);
}

TEST_CASE("ranks of small integer matrices are those of fraction-free elimination", "[analysis][exact]") {
  const auto elimination = [](std::vector<std::vector<int64_t>> a) {
    size_t rank = 0;
    int64_t previous = 1;
    for (size_t column = 0; column < a[0].size() && rank < a.size(); ++column) {
      size_t pivot = rank;
      while (pivot < a.size() && a[pivot][column] == 0) ++pivot;
      if (pivot == a.size()) continue;
      std::swap(a[rank], a[pivot]);
      for (size_t i = rank + 1; i < a.size(); ++i)
        for (size_t j = a[0].size(); j-- > column;)
          a[i][j] = (a[i][j] * a[rank][column] - a[i][column] * a[rank][j]) / previous;
      previous = a[rank++][column];
    }
    return static_cast<int64_t>(rank);
  };
  at::Generator generator = Seed(4).stream("small integers");
  for (int trial = 0; trial < 300; ++trial) {
    const int64_t m = 1 + trial % 6, n = 1 + trial / 7 % 7;
    const int64_t most = 1 + trial % 3;
    const Tensor a = at::randint(-most, most + 1, {m, n}, generator, at::TensorOptions(at::kDouble));
    std::vector<std::vector<int64_t>> rows(static_cast<size_t>(m));
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        rows[static_cast<size_t>(i)].push_back(static_cast<int64_t>(a[i][j].item<double>()));
    const RankReport report = rank_of_matrix(a);
    CHECK(report.resolved);
    CHECK(report.rank == elimination(rows));
  }
}
