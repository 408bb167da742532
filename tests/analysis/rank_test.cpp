// Oracle: the singular values the matrices were built from.
#include "plumb/analysis/rank.hpp"

#include <cmath>

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

}  // namespace

TEST_CASE("the method and the dtype decide how much of a rank of 600 is seen, and the report says so",
          "[analysis][rank]") {
  const int64_t m = 600;
  const int64_t p = 2000;
  const Tensor j = with_singular_values(decades(m, 1e-8), p);
  const Tensor j32 = j.to(torch::kFloat);

  const RankReport gram32 = rank_of_gram(gram_of(j32), p);
  CHECK(std::abs(gram32.rank - expected_above(m, 1e-8, std::sqrt(2000 * std::pow(2.0, -23)))) <= 1);
  CHECK(gram32.rank < 140);
  CHECK_FALSE(gram32.resolved);

  const RankReport gram64 = rank_of_gram(gram_of(j), p);
  CHECK(std::abs(gram64.rank - expected_above(m, 1e-8, std::sqrt(2000 * std::pow(2.0, -52)))) <= 1);
  CHECK_FALSE(gram64.resolved);
  CHECK(gram64.at_most == m);
  CHECK_THAT(gram64.text(), ContainsSubstring(fmt::format("rank {} to 600 of 600 x 2000 (gram, float64): not "
                                                          "resolved: {} singular values lie below 6.7e-07",
                                                          gram64.rank, m - gram64.rank)));
  CHECK_THAT(gram64.advice, ContainsSubstring("svd or tsqr"));

  const RankReport svd32 = rank_of_matrix(j32);
  CHECK(std::abs(svd32.rank - expected_above(m, 1e-8, 2000 * std::pow(2.0, -23))) <= 1);
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

TEST_CASE("a deficient rank is resolved in float64 by its gap, and never by a Gram matrix",
          "[analysis][rank]") {
  Tensor sigma = at::zeros({20}, torch::kDouble);
  sigma.narrow(0, 0, 12).copy_(decades(12, 1e-6));
  const Tensor j = with_singular_values(sigma, 50);
  const RankReport svd = rank_of_matrix(j);
  CHECK(svd.rank == 12);
  CHECK(svd.gap_rank == 12);
  CHECK(svd.gap > 1e6);
  CHECK(svd.resolved);
  CHECK(svd.at_most == 12);
  // Singular values of 1e-9 would look the same to the Gram matrix.
  const RankReport gram = rank_of_gram(gram_of(j), 50);
  CHECK(gram.rank == 12);
  CHECK(gram.at_most == 20);
  CHECK(gram.unresolved() == 8);
  CHECK_FALSE(gram.resolved);
  CHECK_FALSE(rank_of_matrix(j.to(torch::kFloat)).resolved);
}

TEST_CASE("a spectrum that runs on through float64's tolerance is not resolved", "[analysis][rank]") {
  const RankReport report = rank_of_matrix(with_singular_values(decades(40, 1e-15), 40));
  CHECK_FALSE(report.resolved);
  CHECK(report.at_least < 40);
  CHECK(report.at_most == 40);
  CHECK_THAT(report.advice, ContainsSubstring("no clear gap"));
}

TEST_CASE("a Gram matrix larger than the rank can be is judged by the shorter side", "[analysis][rank]") {
  const Tensor j = with_singular_values(decades(5, 1e-3), 30).t();
  const RankReport report = rank_of_gram(gram_of(j), 5);
  CHECK(report.rank == 5);
  CHECK(report.resolved);
  CHECK(report.sigma_min == Approx(1e-3).epsilon(1e-6));
}

TEST_CASE("identity, one number and zero have the ranks they have", "[analysis][rank]") {
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
    CHECK(rank_of_gram(at::zeros({4, 4}, dtype)).rank == 0);
  }
  CHECK_THROWS_AS(rank_of_matrix(at::full({2, 2}, NAN, torch::kDouble)), ContractError);
}
