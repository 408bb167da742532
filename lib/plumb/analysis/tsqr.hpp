/// The R factor of a tall matrix that comes in blocks of rows: singular values without squaring, in bounded
/// memory.
#pragma once

#include <cstdint>

#include "plumb/analysis/rank.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// Sequential TSQR (Demmel, Grigori, Hoemmen and Langou 2012). Of a wide J (m, p) the blocks are rows of J^T,
/// that is, groups of parameters: p never matters for memory, which is 2 m^2 + m * block rows, in float64.
class Tsqr {
 public:
  /// columns: the number of columns of the tall matrix.
  explicit Tsqr(int64_t columns);

  /// Takes in rows: (r, columns), float32 or float64, finite; worked on in float64. Blocks of at least
  /// `columns` rows are the most efficient.
  void add(const Tensor& rows);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }

  /// R (min(rows, columns), columns): upper triangular, R^T R = A^T A without having formed it.
  Tensor factor() const;

  /// The singular values (min(rows, columns)) of all rows so far, descending.
  Tensor singular_values() const;

  /// The rank of A; see rank_of_triangular_factor. Entries are taken to be computed in the coarsest dtype
  /// that came in unless the options say another. `transposed`: report A^T's shape.
  RankReport rank(bool transposed = false, RankOptions options = {}) const;

 private:
  int64_t columns_;
  int64_t rows_ = 0;
  Tensor factor_;
  Tensor nonzero_;  // (columns), bool: which have had an entry that is not 0
  at::ScalarType dtype_ = at::kDouble;
};

}  // namespace plumb
