/// Scalings of the rows and columns of a matrix by powers of two, which change no rank and round nothing.
#pragma once

#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// Row i is multiplied by 2^rows[i] and column j by 2^columns[j].
struct PowerScaling {
  std::vector<int> rows, columns;
};

enum class Equilibration {
  row_maxima,         // the largest entry of each row lies in [1, 2); columns are left alone
  rows_then_columns,  // the same, and then of each column
  columns_then_rows,
  /// Logarithms of the entries that are not 0 have mean 0 in every row and column, as near as sweeps of
  /// alternating means come to it (Curtis and Reid 1972), then rows_then_columns. D1 A D2 has the scaling of
  /// A but for D1 and D2, whatever diagonal matrices of powers of two they are.
  geometric_means,
};

/// `a`: (m, n) float64 on the CPU, finite. Rows and columns of zeros are not scaled.
PowerScaling equilibration(const Tensor& a, Equilibration rule);

/// D1 A D2. Exact, but for entries below 2^-1022 once scaled, which lose digits that lie 2^-1074 or more
/// below the largest entry of an equilibrated matrix.
Tensor scaled(const Tensor& a, const PowerScaling& scaling);

/// The power of two that brings the largest entry of A to [1, 2); 0 for a matrix of zeros.
int common_exponent(const Tensor& a);

}  // namespace plumb
