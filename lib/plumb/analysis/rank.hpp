/// What is certain about the rank of a matrix: bounds from both sides, whatever the scale of its rows and
/// columns; and its numerical rank, which is another thing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plumb/analysis/spectrum.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// What the entries of the matrix given may be off by, eta the relative error:
enum class InputError {
  entrywise,  // |delta a_ij| <= eta |a_ij|: rows and columns may have any scale; what underflowed is believed
  rowwise,    // ||delta a_i|| <= eta ||a_i|| for every row: rows may have any scale
  normwise,   // ||delta A||_F <= eta ||A||_F
};

struct RankOptions {
  InputError error = InputError::entrywise;
  /// eta; none: eight unit roundoffs of `computed_in`, as a few products leave. 0: the matrix is meant
  /// exactly as it is given, and its rank is then found by exact arithmetic where `exact_work` suffices.
  std::optional<double> relative_error = {};
  /// The dtype in which the entries were computed; by default the one they have.
  at::ScalarType computed_in = at::ScalarType::Undefined;
  /// A bound that the caller can prove: r for a product of m x r with r x n.
  std::optional<int64_t> at_most = {};
  /// Multiplications that may be spent on exact arithmetic (2 ns each); see ExactMatrix. 0: none.
  int64_t exact_work = 2'000'000'000;
};

/// What is known of the rank of an m x n matrix A.
///
/// `at_least` holds for A and for every matrix within the stated input error of it: so many singular values
/// of B = D1 A D2, D1 and D2 diagonal matrices of powers of two that equilibrate A, exceed eta ||B||_F for
/// what the error can do (Weyl) plus max(m, n) eps ||B||_2 for the rounding of the factorization (LAPACK
/// Users' Guide, 4.9, with the slowly growing factor taken as max(m, n)). No gap in the spectrum is asked
/// for.
///
/// `at_most` holds for A as given, and is less than min(m, n) only where something proves it: rows or columns
/// that are 0 or multiples of one another, elimination in exact arithmetic (ExactMatrix), or the caller's
/// word.
///
/// Where the two differ the rank is not resolved. A product of rounded factors of rank r is a case in point:
/// its entries as they are mostly have full rank, and matrices within rounding of it have rank r.
struct RankReport {
  std::string method;   // "svd", "tsqr" or "gram"
  std::string dtype;    // in which the entries were computed: "float64", "float32"
  int64_t rows = 0;     // m
  int64_t columns = 0;  // n
  int64_t at_least = 0;
  int64_t at_most = 0;
  bool resolved = false;      // at_least == at_most
  int64_t rank = 0;           // the rank where resolved, else at_least
  double relative_error = 0;  // eta
  std::string proof;          // of at_most: "shape", "exact arithmetic", "multiples" or "stated"
  std::string advice;         // empty where resolved: why not, and what would resolve it

  double sigma_max = 0;  // of A itself, not equilibrated; 0 for an empty matrix
  double sigma_min = 0;  // of the min(m, n) computed ones; below `tolerance` it is noise
  double tolerance = 0;  // on sigma
  /// How many singular values of A exceed `tolerance`: the rank within a perturbation ||delta A||_2 of that
  /// size, which depends on the scale of rows and columns. The tolerance is max(m, n) eps sigma_max, eps that
  /// of `dtype` (LAPACK's policy, that of matrix_rank); sqrt(max(m, n) eps) sigma_max for Gram matrices.
  int64_t numerical_rank = 0;
  /// How many stand above the largest gap in log sigma, where values under the floor of eps sigma_max
  /// (sqrt(eps) sigma_max for a Gram matrix) count as that and the floor itself ends the list. No proof of
  /// anything.
  int64_t gap_rank = 0;
  double gap = 1;     // sigma above / sigma below that gap; 1 for a zero matrix
  Spectrum spectrum;  // the singular values of A; beyond float64's range they are its largest number

  /// How many ranks too many are left.
  int64_t unresolved() const { return at_most - at_least; }

  /// One line: "rank 463 to 600 of 600 x 2000 (gram, float64): not resolved; ...".
  std::string text() const;
};

/// The rank of A (m, n), float32 or float64 and finite, either side may be 0. Throws ContractError otherwise.
RankReport rank_of_matrix(const Tensor& a, const RankOptions& options = {});

/// How many singular values of A exceed relative_tolerance sigma_max; 0 for an empty matrix.
int64_t numerical_rank(const Tensor& a, double relative_tolerance);

/// The rank of A (m, n) from G = A A^T or A^T A of the size min(m, n) or larger.
///
/// `inner` is the length of the sums in G (n of A A^T); 0: unknown, taken as G's size. The bound is that of
/// rowwise errors in A: G is equilibrated to C = D G D of unit diagonal, which scales the rows of A, and
/// lambda counts if sqrt(lambda - delta) exceeds eta sqrt(trace C). delta = 4 sqrt(inner) u trace C (rounding
/// of the sums in G's dtype, with high probability: Higham and Mary 2019) + size eps ||C||_2 (of the
/// eigenvalues). G squares the condition number: what lies under sqrt(eps) or so of sigma_max is out of its
/// reach. Nothing but the sizes bounds the rank from above: products of small entries underflow.
/// `eigenvalues`: those of G, ascending, where they are known already.
RankReport rank_of_gram(const Tensor& gram, int64_t inner = 0, const RankOptions& options = {},
                        const Tensor& eigenvalues = {});

/// The same of A^T from the triangular factor R (k, n) of a tall A (m, n) = Q R, k = min(m, n). Columns of A
/// may have any scale, and are `nonzero_columns` when those of zeros are left out. Householder's
/// factorization keeps the error of each column relative to that column (Higham 2002, Thm 19.4).
RankReport rank_of_triangular_factor(const Tensor& r, int64_t rows, int64_t nonzero_columns,
                                     const RankOptions& options);

}  // namespace plumb
