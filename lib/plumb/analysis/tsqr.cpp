#include "plumb/analysis/tsqr.hpp"

#include <tuple>
#include <utility>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {

Tsqr::Tsqr(int64_t columns) : columns_(columns) {
  expects(columns > 0, "tsqr: {} columns; at least one is expected", columns);
}

void Tsqr::add(const Tensor& rows) {
  expects(rows.defined() && rows.dim() == 2 && rows.size(1) == columns_,
          "tsqr: a block of {} columns; {} are expected",
          rows.defined() && rows.dim() == 2 ? rows.size(1) : -1, columns_);
  expects(rows.scalar_type() == at::kFloat || rows.scalar_type() == at::kDouble,
          "tsqr: entries of {}; float32 or float64 is expected", c10::toString(rows.scalar_type()));
  if (rows.size(0) == 0) return;
  const Tensor wide = rows.detach().to(at::kDouble);
  expects(at::isfinite(wide.sum()).item<bool>() || at::isfinite(wide).all().item<bool>(),
          "tsqr: rows from {} on have entries that are not finite; finite ones are expected", rows_);
  const Tensor stacked = factor_.defined() ? at::cat({factor_, wide}) : wide;
  factor_ = std::get<1>(at::linalg_qr(stacked, "r"));
  const Tensor nonzero = wide.ne(0).any(0);
  nonzero_ = nonzero_.defined() ? nonzero_.logical_or(nonzero) : nonzero;
  rows_ += rows.size(0);
  if (rows.scalar_type() == at::kFloat) dtype_ = at::kFloat;
}

Tensor Tsqr::factor() const {
  expects(factor_.defined(), "tsqr: no rows were added; at least one is expected");
  return factor_;
}

Tensor Tsqr::singular_values() const { return at::linalg_svdvals(factor()); }

RankReport Tsqr::rank(bool transposed, RankOptions options) const {
  if (options.computed_in == at::ScalarType::Undefined) options.computed_in = dtype_;
  RankReport report = rank_of_triangular_factor(factor(), rows_, nonzero_.sum().item<int64_t>(), options);
  if (transposed) std::swap(report.rows, report.columns);
  return report;
}

}  // namespace plumb
