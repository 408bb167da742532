#include "plumb/analysis/rank.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

bool single_precision(at::ScalarType dtype) {
  expects(dtype == at::kFloat || dtype == at::kDouble, "rank: entries of {}; float32 or float64 is expected",
          c10::toString(dtype));
  return dtype == at::kFloat;
}

double epsilon_of_entries(at::ScalarType dtype) {
  return single_precision(dtype) ? std::numeric_limits<float>::epsilon()
                                 : std::numeric_limits<double>::epsilon();
}

/// The largest factor between neighbours of the descending values, none taken below `floor`, and floor the
/// last.
void find_gap(RankReport& report, double floor) {
  if (report.sigma_max == 0) return;
  const auto values = report.spectrum.values.accessor<double, 1>();
  const int64_t k = report.spectrum.size();
  for (int64_t i = 0; i < k; ++i) {
    const double below = i + 1 < k ? std::max(values[i + 1], floor) : floor;
    const double factor = std::max(values[i], floor) / below;
    if (factor <= report.gap) continue;
    report.gap = factor;
    report.gap_rank = i + 1;
  }
}

/// The factor between the last value above the tolerance and the first below it.
double edge(const RankReport& report) {
  const double above = report.rank == 0 ? 0 : report.spectrum.values[report.rank - 1].item<double>();
  const double below = report.spectrum.values[report.rank].item<double>();
  return below == 0 ? std::numeric_limits<double>::infinity() : above / below;
}

RankReport report_of(Spectrum spectrum, int64_t rows, int64_t columns, const std::string& method,
                     at::ScalarType dtype, double tolerance) {
  RankReport report;
  report.method = method;
  report.dtype = single_precision(dtype) ? "float32" : "float64";
  report.rows = rows;
  report.columns = columns;
  report.spectrum = std::move(spectrum);
  report.sigma_max = report.spectrum.largest();
  report.sigma_min = report.spectrum.smallest();
  report.tolerance = tolerance * report.sigma_max;
  report.rank = report.spectrum.count_above(report.tolerance);
  report.at_least = report.rank;
  report.at_most = report.spectrum.size();
  return report;
}

void conclude(RankReport& report, const std::string& remedy) {
  // A matrix of zeros has been seen whole, by whatever method.
  if (report.sigma_max == 0) report.at_most = 0;
  report.resolved = report.at_least == report.at_most;
  if (report.resolved) return;
  report.advice =
      fmt::format("{} singular values lie below {:.2g}, where {} in {} cannot tell them from 0; {}",
                  report.unresolved(), report.tolerance, report.method, report.dtype, remedy);
}

}  // namespace

std::string RankReport::text() const {
  const std::string rank_text =
      resolved ? fmt::format("rank {}", rank) : fmt::format("rank {} to {}", at_least, at_most);
  const std::string line = fmt::format("{} of {} x {} ({}, {})", rank_text, rows, columns, method, dtype);
  return resolved ? line : line + ": not resolved: " + advice;
}

RankReport rank_of_singular_values(const Tensor& values, int64_t rows, int64_t columns,
                                   const std::string& method, at::ScalarType dtype) {
  Spectrum spectrum = Spectrum::of_singular_values(values);
  expects(spectrum.size() == std::min(rows, columns) && spectrum.size() > 0,
          "rank: {} singular values of a {} x {} matrix; all {} are expected", spectrum.size(), rows, columns,
          std::min(rows, columns));
  const double epsilon = epsilon_of_entries(dtype);
  RankReport report = report_of(std::move(spectrum), rows, columns, method, dtype,
                                static_cast<double>(std::max(rows, columns)) * epsilon);
  find_gap(report, epsilon * report.sigma_max);
  const bool complete = report.rank == report.at_most;
  if (!complete && !single_precision(dtype) && edge(report) >= clear_gap) report.at_most = report.rank;
  conclude(report, single_precision(dtype)
                       ? "compute the matrix in float64"
                       : "no clear gap parts them from the others, and float64 has no more digits to give");
  return report;
}

RankReport rank_of_matrix(const Tensor& a) {
  const Tensor values = singular_values(a);
  return rank_of_singular_values(values, a.size(0), a.size(1), "svd", a.scalar_type());
}

RankReport rank_of_gram_eigenvalues(const Tensor& eigenvalues, int64_t inner, at::ScalarType dtype) {
  Spectrum spectrum = Spectrum::of_gram_eigenvalues(eigenvalues);
  const int64_t size = spectrum.size();
  expects(size > 0 && inner >= 0, "rank: {} eigenvalues and sums of length {}; neither may be missing", size,
          inner);
  if (inner == 0) inner = size;
  // A A^T of an m x n matrix has m - n eigenvalues that are 0 whatever A is: they are no singular values of
  // A.
  if (inner < size) spectrum.values = spectrum.values.narrow(0, 0, inner);
  const double epsilon = epsilon_of_entries(dtype);
  RankReport report = report_of(std::move(spectrum), size, inner, "gram", dtype,
                                std::sqrt(static_cast<double>(std::max(size, inner)) * epsilon));
  find_gap(report, std::sqrt(epsilon) * report.sigma_max);
  conclude(report, "take the singular values of the matrix itself in float64 (svd or tsqr)");
  return report;
}

RankReport rank_of_gram(const Tensor& gram, int64_t inner) {
  return rank_of_gram_eigenvalues(symmetric_eigenvalues(gram), inner, gram.scalar_type());
}

}  // namespace plumb
