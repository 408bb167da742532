#include "plumb/analysis/equilibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <torch/torch.h>

namespace plumb {
namespace {

constexpr int16_t no_exponent = std::numeric_limits<int16_t>::min();  // of an entry that is 0
constexpr int geometric_sweeps = 20;

/// floor(log2 |a_ij|) of all entries, and the logarithms r, c of a scaling of rows and columns.
class Exponents {
 public:
  explicit Exponents(const Tensor& a) : rows_(a.size(0)), columns_(a.size(1)) {
    const Tensor packed = a.contiguous();
    const double* values = packed.data_ptr<double>();
    for (int64_t i = 0; i < packed.numel(); ++i)
      exponents_.push_back(values[i] == 0 ? no_exponent : static_cast<int16_t>(std::ilogb(values[i])));
    row.assign(static_cast<size_t>(rows_), 0);
    column.assign(static_cast<size_t>(columns_), 0);
  }

  /// Calls f(i, j, log2 |a_ij| + r_i + c_j) for entries that are not 0.
  template <class Function>
  void for_each(const Function& f) const {
    const int16_t* exponent = exponents_.data();
    for (size_t i = 0; i < row.size(); ++i)
      for (size_t j = 0; j < column.size(); ++j, ++exponent)
        if (*exponent != no_exponent) f(i, j, *exponent + row[i] + column[j]);
  }

  /// Takes the largest logarithm of each row, or column, off it.
  void level_maxima(std::vector<double>& side) {
    const bool by_row = &side == &row;
    std::vector<double> largest(side.size(), -std::numeric_limits<double>::infinity());
    for_each([&](size_t i, size_t j, double log) {
      double& most = largest[by_row ? i : j];
      most = std::max(most, log);
    });
    for (size_t i = 0; i < side.size(); ++i)
      if (std::isfinite(largest[i])) side[i] -= std::round(largest[i]);
  }

  /// Takes their mean off each row, or column.
  void level_means(std::vector<double>& side) {
    const bool by_row = &side == &row;
    std::vector<double> sum(side.size(), 0), count(side.size(), 0);
    for_each([&](size_t i, size_t j, double log) {
      sum[by_row ? i : j] += log;
      count[by_row ? i : j] += 1;
    });
    for (size_t i = 0; i < side.size(); ++i)
      if (count[i] > 0) side[i] -= sum[i] / count[i];
  }

  void round() {
    for (auto* side : {&row, &column})
      for (double& log : *side) log = std::round(log);
  }

  std::vector<double> row, column;

 private:
  int64_t rows_, columns_;
  std::vector<int16_t> exponents_;
};

std::vector<int> integers(const std::vector<double>& logs) { return {logs.begin(), logs.end()}; }

}  // namespace

PowerScaling equilibration(const Tensor& a, Equilibration rule) {
  Exponents exponents(a);
  if (rule == Equilibration::geometric_means) {
    for (int sweep = 0; sweep < geometric_sweeps; ++sweep) {
      exponents.level_means(exponents.row);
      exponents.level_means(exponents.column);
    }
    exponents.round();
  }
  if (rule == Equilibration::columns_then_rows) exponents.level_maxima(exponents.column);
  exponents.level_maxima(exponents.row);
  if (rule == Equilibration::rows_then_columns || rule == Equilibration::geometric_means)
    exponents.level_maxima(exponents.column);
  return {integers(exponents.row), integers(exponents.column)};
}

Tensor scaled(const Tensor& a, const PowerScaling& scaling) {
  Tensor result = a.contiguous().clone();
  double* value = result.data_ptr<double>();
  for (const int row : scaling.rows)
    for (const int column : scaling.columns) {
      *value = std::ldexp(*value, row + column);
      ++value;
    }
  return result;
}

int common_exponent(const Tensor& a) {
  const double largest = a.abs().max().item<double>();
  return largest == 0 ? 0 : -std::ilogb(largest);
}

}  // namespace plumb
