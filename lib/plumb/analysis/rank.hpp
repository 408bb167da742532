/// The numerical rank of a matrix by three policies, and whether the method could see it at all.
#pragma once

#include <cstdint>
#include <string>

#include "plumb/analysis/spectrum.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// What the singular values of an m x n matrix A say about its rank, and what they cannot say.
///
/// The tolerance is what rounding alone can make of a zero: max(m, n) eps sigma_max for singular values of A
/// itself (LAPACK's policy, that of matrix_rank), but sqrt(max(m, n) eps) sigma_max for square roots of
/// eigenvalues of A A^T, which squares the condition number. eps is that of the dtype in which the entries
/// were computed.
struct RankReport {
  std::string method;   // "svd", "tsqr" or "gram"
  std::string dtype;    // of the entries: "float64", "float32"
  int64_t rows = 0;     // m
  int64_t columns = 0;  // n
  double sigma_max = 0;
  double sigma_min = 0;  // of the min(m, n) computed ones; below `tolerance` it is noise
  double tolerance = 0;  // on sigma
  int64_t rank = 0;      // how many singular values exceed the tolerance
  int64_t at_least = 0;  // the rank is certainly no less: the `rank` above
  int64_t at_most = 0;   // and no more, as far as the method can tell
  /// How many stand above the largest gap in log sigma, where values under the floor of eps sigma_max
  /// (sqrt(eps) sigma_max for a Gram matrix) count as that and the floor itself ends the list.
  int64_t gap_rank = 0;
  double gap = 1;         // sigma above / sigma below that gap; 1 for a zero matrix
  bool resolved = false;  // at_least == at_most
  std::string advice;     // empty where resolved: why not, and what would resolve it
  Spectrum spectrum;      // the singular values used

  /// How many singular values the method cannot tell from zero although they may not be.
  int64_t unresolved() const { return at_most - at_least; }

  /// One line: "rank 463 to 600 of 600 x 2000 (gram, float64): not resolved; ...".
  std::string text() const;
};

/// At least this factor between the last singular value above the tolerance and the first below it is taken
/// as the edge of the rank.
inline constexpr double clear_gap = 1e3;

/// Rank of A (m, n) by its singular values in float64 arithmetic; `a` is float32 or float64 and finite.
/// Values under the tolerance count as zero only where entries are float64 and a clear gap precedes them;
/// otherwise the report is not resolved.
RankReport rank_of_matrix(const Tensor& a);

/// Rank of A (m, n) from G = A A^T or A^T A of the size min(m, n) or larger, by G's eigenvalues in float64.
/// `inner` is the length of the sums in G (n of A A^T); 0: unknown, taken as G's size. eps is that of G's
/// dtype. Singular values under the tolerance may be anything up to it: they are unresolved.
RankReport rank_of_gram(const Tensor& gram, int64_t inner = 0);

/// Rank from the eigenvalues (size) of such a G, where they are known already. `dtype` is that of G's
/// entries.
RankReport rank_of_gram_eigenvalues(const Tensor& eigenvalues, int64_t inner, at::ScalarType dtype);

/// Rank from singular values (min(m, n)) found by `method` ("svd", "tsqr") for entries of `dtype`.
RankReport rank_of_singular_values(const Tensor& values, int64_t rows, int64_t columns,
                                   const std::string& method, at::ScalarType dtype);

}  // namespace plumb
