// Oracles: the singular values the matrices were built from; ranks known from how the matrices are made.
#include "plumb/analysis/rank.hpp"

#include <cmath>
#include <limits>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/analysis/smallest_eigenvalue.hpp"
#include "plumb/analysis/tsqr.hpp"
#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

Tensor decades(int64_t count, double lowest) {
  return at::logspace(0, std::log10(lowest), count, 10, torch::kDouble);
}

/// How many of `count` logarithmically spaced values from 1 down to `lowest` exceed `tolerance`.
int64_t expected_above(int64_t count, double lowest, double tolerance) {
  int64_t above = 0;
  for (int64_t i = 0; i < count; ++i)
    above += std::pow(lowest, static_cast<double>(i) / static_cast<double>(count - 1)) > tolerance;
  return above;
}

Tensor gram_of(const Tensor& a) { return at::mm(a, a.t()); }

Tensor gaussian(int64_t rows, int64_t columns, const char* purpose) {
  at::Generator generator = Seed(4).stream(purpose);
  return at::randn({rows, columns}, generator, at::TensorOptions(at::kDouble));
}

Tensor matrix(std::vector<std::vector<double>> rows) {
  std::vector<Tensor> all;
  for (const auto& row : rows) all.push_back(torch::tensor(row, torch::kDouble));
  return torch::stack(all);
}

}  // namespace

TEST_CASE("the method and the dtype decide how much of a rank of 600 is seen, and the report says so",
          "[analysis][rank]") {
  const int64_t m = 600;
  const int64_t p = 2000;
  const Tensor j = with_singular_values(decades(m, 1e-8), p);
  const Tensor j32 = j.to(torch::kFloat);

  const RankReport gram32 = rank_of_gram(gram_of(j32), p);
  CHECK(std::abs(gram32.numerical_rank - expected_above(m, 1e-8, std::sqrt(2000 * std::pow(2.0, -23)))) <= 1);
  CHECK(gram32.at_least < 160);
  CHECK(gram32.at_most == m);
  CHECK_FALSE(gram32.resolved);

  const RankReport gram64 = rank_of_gram(gram_of(j), p);
  CHECK(std::abs(gram64.numerical_rank - expected_above(m, 1e-8, std::sqrt(2000 * std::pow(2.0, -52)))) <= 1);
  CHECK_FALSE(gram64.resolved);
  CHECK(gram64.at_least > 440);
  CHECK(gram64.at_least < 500);
  CHECK(gram64.at_most == m);
  CHECK_THAT(gram64.text(),
             ContainsSubstring(fmt::format("rank {} to 600 of 600 x 2000 (gram, float64): not resolved: {} "
                                           "singular values lie below",
                                           gram64.at_least, m - gram64.at_least)));
  CHECK_THAT(gram64.advice, ContainsSubstring("svd or tsqr"));

  const RankReport svd32 = rank_of_matrix(j32);
  CHECK(std::abs(svd32.numerical_rank - expected_above(m, 1e-8, 2000 * std::pow(2.0, -23))) <= 1);
  CHECK(svd32.at_least < m);
  CHECK_FALSE(svd32.resolved);
  CHECK_THAT(svd32.advice, ContainsSubstring("compute the matrix in float64"));

  const RankReport svd64 = rank_of_matrix(j);
  CHECK(svd64.rank == m);
  CHECK(svd64.resolved);
  CHECK(svd64.sigma_min == Approx(1e-8).epsilon(1e-6));
  CHECK(svd64.text() == "rank 600 of 600 x 2000 (svd, float64)");

  // Column blocks of J are row blocks of J^T.
  Tsqr tsqr(m);
  for (const Tensor& block : j.split(700, 1)) tsqr.add(block.t());
  const RankReport by_blocks = tsqr.rank(true);
  CHECK(by_blocks.resolved);
  CHECK(by_blocks.rank == m);
  CHECK(by_blocks.rows == m);
  CHECK(by_blocks.columns == p);
  CHECK(by_blocks.sigma_min == Approx(1e-8).epsilon(1e-6));

  // lambda_min = 1e-16 is out of reach of both Gram matrices: neither may say that it is negative, or that it
  // is known.
  const SmallestEigenvalue in_f32 = smallest_eigenvalue(gram_of(j32), {.inner = p});
  CHECK(in_f32.computed < -1e-9);
  for (const SmallestEigenvalue& found : {in_f32, smallest_eigenvalue(gram_of(j), {.inner = p})}) {
    CHECK_FALSE(found.resolved);
    CHECK(found.value >= 0);
    CHECK(found.lower == 0);
    CHECK(found.upper >= 1e-16);
    CHECK_FALSE(found.indefinite);
  }
}

TEST_CASE("a Gram matrix resolves what lies above the root of its epsilon", "[analysis][rank]") {
  const Tensor j = with_singular_values(decades(40, 1e-5), 100);
  const RankReport report = rank_of_gram(gram_of(j), 100);
  CHECK(report.rank == 40);
  CHECK(report.resolved);
  CHECK(report.advice.empty());
  CHECK(report.sigma_min == Approx(1e-5).epsilon(1e-3));
}

TEST_CASE("singular values of 1e-12 are resolved by the matrix and not by its Gram matrix",
          "[analysis][rank]") {
  const Tensor j = with_singular_values(decades(30, 1e-12), 60);
  const RankReport svd = rank_of_matrix(j);
  CHECK(svd.rank == 30);
  CHECK(svd.resolved);
  const RankReport gram = rank_of_gram(gram_of(j), 60);
  CHECK_FALSE(gram.resolved);
  CHECK(gram.at_least < 30);
  CHECK(gram.at_most == 30);
}

TEST_CASE(
    "a gap in the spectrum proves no zeros: a product of rounded factors is not resolved unless its "
    "inner dimension is stated",
    "[analysis][rank]") {
  const Tensor a = at::mm(gaussian(20, 12, "left"), gaussian(12, 50, "right"));
  const RankReport alone = rank_of_matrix(a);
  CHECK(alone.at_least == 12);
  CHECK(alone.at_most == 20);
  CHECK_FALSE(alone.resolved);
  CHECK(alone.unresolved() == 8);
  CHECK(alone.gap_rank == 12);
  CHECK(alone.numerical_rank == 12);
  CHECK_THAT(alone.advice, ContainsSubstring("no structure of it proves"));
  const RankReport stated = rank_of_matrix(a, {.at_most = 12});
  CHECK(stated.resolved);
  CHECK(stated.rank == 12);
  CHECK(stated.proof == "stated");
  CHECK_THROWS_AS(rank_of_matrix(a, {.at_most = 11}), ContractError);
  CHECK_FALSE(rank_of_gram(gram_of(a), 50).resolved);
  CHECK(rank_of_gram(gram_of(a), 50, {.at_most = 12}).resolved);
  // Taken at its word it has full rank, as rounded products do.
  CHECK(rank_of_matrix(a, {.relative_error = 0}).rank == 20);
}

TEST_CASE("integers of low rank are resolved, by exact arithmetic", "[analysis][rank]") {
  at::Generator generator = Seed(4).stream("integers");
  const at::TensorOptions options(at::kDouble);
  const Tensor a = at::mm(at::randint(-9, 10, {60, 23}, generator, options),
                          at::randint(-9, 10, {23, 90}, generator, options));
  for (const Tensor& of : {a, a.t(), a.to(torch::kFloat)}) {
    const RankReport report = rank_of_matrix(of);
    CHECK(report.rank == 23);
    CHECK(report.resolved);
    CHECK(report.proof == "exact arithmetic");
  }
}

TEST_CASE("a row of 1e18 does not hide the others", "[analysis][rank]") {
  for (const double factor : {1e18, 1e-18, 1e150, 1e-285}) {
    Tensor a = gaussian(5, 20, "scaled row");
    a[2] *= factor;
    for (const Tensor& of : {a, a.t()}) {
      const RankReport report = rank_of_matrix(of);
      CHECK(report.rank == 5);
      CHECK(report.resolved);
    }
    Tsqr tsqr(5);
    for (const Tensor& block : a.t().split(6)) tsqr.add(block);
    CHECK(tsqr.rank(true).rank == 5);
    CHECK(tsqr.rank(true).resolved);
    // Squares of 1e150 and of 1e-290 leave float64, or the digits that matter.
    const double square = factor * factor;
    const bool kept = square > 1e-250 && std::isfinite(square);
    if (kept) CHECK(rank_of_gram(gram_of(a), 20).rank == 5);
    if (square == 0) CHECK(rank_of_gram(gram_of(a), 20).at_most == 5);
    CHECK(numerical_rank(a, 1e-12) == (factor > 1 ? 1 : 4));
  }
}

TEST_CASE("saturated units scale rows and take no rank", "[analysis][rank]") {
  const Tensor x = gaussian(12, 30, "inputs");
  const Tensor w = gaussian(6, 30, "units") * 3;
  const Tensor z = at::mm(x, w.t()) + at::linspace(-45, 45, 12, torch::kDouble).unsqueeze(1);
  const Tensor slopes = 4 * at::exp(-2 * z.abs());  // tanh' of large arguments
  REQUIRE(std::get<0>(slopes.max(1)).min().item<double>() < 1e-18);
  const Tensor j = ((slopes * gaussian(1, 6, "outputs")).unsqueeze(2) * x.unsqueeze(1)).reshape({12, 180});
  for (const InputError error : {InputError::entrywise, InputError::rowwise}) {
    RankOptions options;
    options.error = error;
    const RankReport report = rank_of_matrix(j, options);
    CHECK(report.rank == 12);
    CHECK(report.resolved);
  }
  CHECK(rank_of_gram(gram_of(j), 180).rank == 12);
  Tsqr tsqr(12);
  tsqr.add(j.t());
  CHECK(tsqr.rank(true).rank == 12);
  CHECK(rank_of_matrix(j).numerical_rank < 12);
}

TEST_CASE("errors relative to rows do not count a column of rounding, and normwise ones no small row",
          "[analysis][rank]") {
  // What a parameter without influence leaves: sums that cancel but for rounding.
  Tensor a = at::mm(gaussian(9, 4, "left"), gaussian(4, 9, "right"));
  a.select(1, 8).copy_(1e-17 * gaussian(1, 9, "rounding")[0]);
  const auto at_least = [&](InputError error) {
    RankOptions options;
    options.error = error;
    return rank_of_matrix(a, options).at_least;
  };
  CHECK(at_least(InputError::entrywise) == 5);
  CHECK(at_least(InputError::rowwise) == 4);
  CHECK(at_least(InputError::normwise) == 4);
  a = at::eye(3, torch::kDouble);
  a[1][1] = 1e-20;
  CHECK(at_least(InputError::rowwise) == 3);
  CHECK(at_least(InputError::normwise) == 2);
}

TEST_CASE("at_least holds for matrices as far away as the stated error", "[analysis][rank]") {
  at::Generator generator = Seed(4).stream("moved");
  for (const double eta : {1e-3, 1e-6, 1e-10})
    for (int64_t k = 0; k < 20; ++k) {
      // The last two rows are moved onto one another by changes of less than eta in each entry.
      Tensor a = at::randn({6, 6}, generator, at::TensorOptions(at::kDouble));
      a[5] = a[4] * (1 + eta * at::rand({6}, generator, at::TensorOptions(at::kDouble)));
      const RankReport report = rank_of_matrix(a, {.relative_error = eta});
      CHECK(report.at_least <= 5);
      CHECK(report.at_most == 6);
      CHECK(rank_of_matrix(a, {.relative_error = 1e-4 * eta}).at_least == 6);
    }
}

TEST_CASE("hostile entries leave ranks that are right or not resolved", "[analysis][rank]") {
  const double least = std::numeric_limits<double>::denorm_min();
  const double most = std::numeric_limits<double>::max();
  const auto check = [](const Tensor& a, int64_t rank) {
    for (const Tensor& of : {a, a.t()}) {
      const RankReport report = rank_of_matrix(of);
      INFO(report.text());
      CHECK(report.at_least <= rank);
      CHECK(report.at_most >= rank);
      CHECK(report.resolved);
      CHECK(std::isfinite(report.sigma_max));
    }
  };
  check(matrix({{1, 0, 0}, {0, 1e-300, 0}, {0, 0, 1e300}}), 3);
  check(matrix({{least, 0}, {0, most}}), 2);
  check(matrix({{most, most}, {most, -most}}), 2);
  check(matrix({{most, most}, {most, most}}), 1);
  check(matrix({{least, 2 * least}, {2 * least, 4 * least}}), 1);
  check(matrix({{least, 3 * least}, {2 * least, 4 * least}}), 2);
  check(matrix({{1, 2, 3}, {1 + 1e-12, 2, 3}}), 2);
  check(matrix({{1, 2, 3}, {1, 2, 3}, {4, 5, 6}}), 2);
  check(matrix({{0, 0}, {0, 0}, {0, 1e-310}}), 1);
  check(matrix({{std::ldexp(1, 900), 1}, {1, std::ldexp(1, -900)}}), 1);
  check(matrix({{1e-200, 1e-200, 1e-200}}), 1);
  check(matrix({{-1, 1, 0}, {0, -1, 1}, {1, 0, -1}}), 2);
  // 2.7e154 has no exact multiple in the last row: a rank of 2 in the numbers given, 1 in those they round.
  const RankReport tiny =
      rank_of_matrix(matrix({{0.1, 0.3, 0.7}, {0.1 * 3e-200, 0.3 * 3e-200, 0.7 * 3e-200}}));
  CHECK(tiny.at_least == 1);
  CHECK(tiny.at_most == 2);
  // The same in float32, cast to float64 before anything else.
  const RankReport single = rank_of_matrix(matrix({{1, 2}, {1e-30, 2.0000002e-30}}).to(torch::kFloat));
  CHECK(single.at_least == 1);
  CHECK(single.at_most == 2);
  check(matrix({{1, 2}, {1e-30, 2.1e-30}}).to(torch::kFloat), 2);
}

TEST_CASE("scaling rows and columns changes no verdict", "[analysis][rank]") {
  at::Generator generator = Seed(4).stream("scalings");
  const at::TensorOptions options(at::kDouble);
  const Tensor steps = at::arange(1, 11, options);
  const Tensor low = at::mm(at::randint(-3, 4, {10, 4}, generator, options),
                            at::randint(-3, 4, {4, 10}, generator, options));
  const Tensor sparse =
      gaussian(10, 10, "sparse") * (at::rand({10, 10}, generator, options) < 0.4) + at::eye(10, options);
  struct Case {
    const char* name;
    Tensor a;
    int64_t rank;
    bool within_reach;  // of float64, once equilibrated
  };
  const std::vector<Case> cases{
      {"Gaussian", gaussian(10, 15, "plain"), 10, true},
      {"Cauchy", 1 / (steps.unsqueeze(1) + at::arange(0.5, 6, 1, options)), 6, true},
      {"Hilbert", 1 / (steps.unsqueeze(1) + steps - 1), 10, false},
      {"Vandermonde", steps.unsqueeze(1).pow(at::arange(10, options)), 10, true},
      {"integers of rank 4", low, 4, true},
      {"sparse", sparse, 10, true},
  };
  for (const Case& one : cases)
    for (const bool of_two : {true, false})
      for (int trial = 0; trial < 6; ++trial) {
        // Exponents that keep all products in float64; powers of 10 are rounded.
        const int64_t rows = trial % 2 == 0 ? 280 : 140, columns = trial % 2 == 0 ? 0 : 140;
        const double base = of_two ? 2 : 10, reach = of_two ? 3 : 1;
        const auto powers = [&](int64_t count, int64_t most) {
          const Tensor exponents = at::randint(-most, most + 1, {count}, generator, options) * reach;
          return at::pow(base, exponents);
        };
        const Tensor scaled =
            one.a * powers(one.a.size(0), rows).unsqueeze(1) * powers(one.a.size(1), columns);
        const RankReport report = rank_of_matrix(scaled);
        INFO(one.name << " trial " << trial << ": " << report.text());
        CHECK(report.at_least <= one.rank);
        CHECK(report.at_most >= one.rank);
        if (one.within_reach) CHECK(report.at_least == one.rank);
        // Rounded multiples of integers have full rank at their word.
        if (of_two && one.within_reach) CHECK(report.resolved);
      }
}

TEST_CASE("a Gram matrix of zeros, or of squares that underflow, proves nothing", "[analysis][rank]") {
  const RankReport zero = rank_of_gram(at::zeros({4, 4}, torch::kDouble));
  CHECK(zero.at_least == 0);
  CHECK(zero.at_most == 4);
  const Tensor tiny = 1e-161 * gaussian(4, 9, "tiny");
  const RankReport lost = rank_of_gram(gram_of(tiny), 9);
  CHECK(lost.at_least == 0);
  CHECK(lost.at_most == 4);
  CHECK(rank_of_matrix(tiny).rank == 4);
}

TEST_CASE("a Gram matrix larger than the rank can be is judged by the shorter side", "[analysis][rank]") {
  const Tensor j = with_singular_values(decades(5, 1e-3), 30).t();
  const RankReport report = rank_of_gram(gram_of(j), 5);
  CHECK(report.rank == 5);
  CHECK(report.resolved);
  CHECK(report.sigma_min == Approx(1e-3).epsilon(1e-6));
}

TEST_CASE("identity, one number, zero and nothing have the ranks they have", "[analysis][rank]") {
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    const RankReport identity = rank_of_matrix(at::eye(6, dtype));
    CHECK(identity.rank == 6);
    CHECK(identity.gap_rank == 6);
    CHECK(identity.resolved);
    CHECK(rank_of_gram(at::eye(6, dtype)).resolved);
    const RankReport single = rank_of_matrix(at::full({1, 1}, -3, dtype));
    CHECK(single.rank == 1);
    CHECK(single.sigma_max == 3);
    const RankReport zero = rank_of_matrix(at::zeros({4, 2}, dtype));
    CHECK(zero.rank == 0);
    CHECK(zero.gap_rank == 0);
    CHECK(zero.resolved);
    CHECK(zero.text() ==
          fmt::format("rank 0 of 4 x 2 (svd, {})", dtype == torch::kFloat ? "float32" : "float64"));
    for (const auto& shape : {std::vector<int64_t>{0, 5}, {5, 0}, {0, 0}}) {
      const RankReport nothing = rank_of_matrix(at::zeros(shape, dtype));
      CHECK(nothing.rank == 0);
      CHECK(nothing.resolved);
    }
  }
}

TEST_CASE("what is no matrix of finite numbers is refused by name", "[analysis][rank]") {
  Tensor a = at::zeros({2, 3}, torch::kDouble);
  a[1][2] = std::numeric_limits<double>::infinity();
  a[1][0] = NAN;
  CHECK_THROWS_WITH(rank_of_matrix(a),
                    "rank: 2 of 6 entries are not finite, the first at (1, 0): nan; finite "
                    "entries are expected");
  CHECK_THROWS_AS(rank_of_matrix(at::full({2, 2}, NAN, torch::kDouble)), ContractError);
  CHECK_THROWS_WITH(rank_of_matrix(at::zeros({2, 2}, torch::kBFloat16)), ContainsSubstring("BFloat16"));
  CHECK_THROWS_AS(rank_of_matrix(at::zeros({3}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(rank_of_matrix(at::eye(2, torch::kDouble), {.relative_error = -1}), ContractError);
  CHECK_THROWS_AS(rank_of_gram(at::full({2, 2}, NAN, torch::kDouble)), ContractError);
}
