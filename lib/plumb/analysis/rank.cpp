#include "plumb/analysis/rank.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/equilibration.hpp"
#include "plumb/analysis/exact_matrix.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

constexpr double double_epsilon = std::numeric_limits<double>::epsilon();
constexpr double default_roundoffs = 8;
/// 800 MB of them.
constexpr int64_t most_exact_entries = 100'000'000;
/// Norms and thresholds are computed with far fewer roundings than this allows.
constexpr double slack = 1 + 1e-8;

bool single_precision(at::ScalarType dtype) {
  expects(dtype == at::kFloat || dtype == at::kDouble, "rank: entries of {}; float32 or float64 is expected",
          c10::toString(dtype));
  return dtype == at::kFloat;
}

double epsilon_of_entries(at::ScalarType dtype) {
  return single_precision(dtype) ? std::numeric_limits<float>::epsilon() : double_epsilon;
}

double smallest_normal(at::ScalarType dtype) {
  return single_precision(dtype) ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
}

/// `a` as float64 on the CPU.
Tensor checked_entries(const Tensor& a) {
  expects(a.defined() && a.dim() == 2, "rank: not a matrix; a tensor of two dimensions is expected");
  single_precision(a.scalar_type());
  const Tensor wide = a.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor finite = at::isfinite(wide);
  if (finite.all().item<bool>()) return wide;
  const int64_t first = finite.logical_not().flatten().to(at::kInt).argmax().item<int64_t>();
  const int64_t i = first / wide.size(1), j = first % wide.size(1);
  const int64_t bad = wide.numel() - finite.sum().item<int64_t>();
  throw ContractError(
      fmt::format("rank: {} of {} entries are not finite, the first at ({}, {}): {}; finite "
                  "entries are expected",
                  bad, wide.numel(), i, j, wide[i][j].item<double>()));
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

/// The numbers about the spectrum of A as it is; `share` of sigma_max is the tolerance, and `floor` that of
/// the gap.
void describe_spectrum(RankReport& report, Spectrum spectrum, double share, double floor) {
  report.spectrum = std::move(spectrum);
  if (report.spectrum.size() == 0) return;
  report.sigma_max = report.spectrum.largest();
  report.sigma_min = report.spectrum.smallest();
  report.tolerance = share * report.sigma_max;
  report.numerical_rank = report.spectrum.count_above(report.tolerance);
  find_gap(report, floor * report.sigma_max);
}

RankReport begin_report(const std::string& method, int64_t rows, int64_t columns, at::ScalarType dtype,
                        const RankOptions& options) {
  RankReport report;
  report.method = method;
  report.rows = rows;
  report.columns = columns;
  report.dtype = single_precision(dtype) ? "float32" : "float64";
  report.relative_error = options.relative_error.value_or(default_roundoffs * epsilon_of_entries(dtype) / 2);
  expects(report.relative_error >= 0 && report.relative_error < 1,
          "rank: a relative error of {}; at least 0 and below 1 is expected", report.relative_error);
  report.at_most = std::min(rows, columns);
  report.proof = "shape";
  return report;
}

void lower_at_most(RankReport& report, int64_t bound, const char* proof) {
  if (bound >= report.at_most) return;
  report.at_most = bound;
  report.proof = proof;
}

void take_stated_bound(RankReport& report, const RankOptions& options) {
  if (!options.at_most) return;
  expects(*options.at_most >= 0, "rank: at most {}; 0 or more is expected", *options.at_most);
  lower_at_most(report, *options.at_most, "stated");
}

void conclude(RankReport& report, double threshold, const std::string& remedy) {
  expects(report.at_least <= report.at_most,
          "rank: at least {} by singular values, and at most {} by {}; bounds that agree are expected",
          report.at_least, report.at_most,
          report.proof == "stated" ? "what is stated" : report.proof.c_str());
  report.rank = report.at_least;
  report.resolved = report.at_least == report.at_most;
  if (report.resolved) return;
  report.advice = fmt::format(
      "{} singular values lie below {:.2g} of the largest one, where {} in {} cannot tell them "
      "from 0; {}",
      report.unresolved(), threshold, report.method, report.dtype, remedy);
}

/// What was certain in the scaling that showed most, and the threshold there as a share of the largest
/// singular value.
struct LowerBound {
  int64_t count = 0;
  double threshold = 0;

  void consider_count(int64_t above, double share) {
    if (threshold > 0 && above <= count) return;
    count = above;
    threshold = share;
  }

  /// `values`: singular values of a scaling of A, descending; `norm`: its Frobenius norm.
  void consider(const Tensor& values, double norm, int64_t longer_side, double relative_error) {
    const double largest = values[0].item<double>();
    const double limit =
        (relative_error * norm + static_cast<double>(longer_side) * double_epsilon * largest) * slack;
    consider_count((values > limit).sum().item<int64_t>(), largest > 0 ? limit / largest : 0);
  }
};

/// See rank_of_gram.
struct GramBound {
  double inner;    // length of the sums in G
  double epsilon;  // of the dtype they were taken in
  double tiny;     // its smallest normal number: what lies below it has lost digits
  double relative_error;

  void consider(LowerBound& best, const Tensor& eigenvalues, const Tensor& diagonal) const {
    const auto size = static_cast<double>(diagonal.numel());
    const double trace = diagonal.clamp_min(0).sum().item<double>();
    if (trace <= size * inner * tiny) return;
    const double largest = eigenvalues.abs().max().item<double>();
    const double delta = (2 * std::sqrt(inner) * epsilon * trace + size * double_epsilon * largest) * slack;
    const double error = relative_error * std::sqrt(trace + delta) * slack;
    const double limit = error * error + delta;
    best.consider_count((eigenvalues > limit).sum().item<int64_t>(),
                        largest > 0 ? std::sqrt(limit / largest) : 0);
  }

  /// D G D with entries of the diagonal in [1, 4), without rows whose squares underflowed.
  Tensor equilibrated(const Tensor& g) const {
    const Tensor kept = g.diagonal() > inner * tiny;
    PowerScaling scaling;
    for (int64_t i = 0; i < g.size(0); ++i)
      scaling.rows.push_back(
          kept[i].item<bool>() ? -static_cast<int>(std::floor(std::ilogb(g[i][i].item<double>()) / 2.0)) : 0);
    scaling.columns = scaling.rows;
    const Tensor mask = kept.to(at::kDouble);
    return scaled(g * mask * mask.unsqueeze(1), scaling);
  }
};

std::vector<Equilibration> scalings_for(InputError error) {
  switch (error) {
    case InputError::entrywise:
      return {Equilibration::geometric_means, Equilibration::rows_then_columns,
              Equilibration::columns_then_rows};
    case InputError::rowwise:
      return {Equilibration::row_maxima};
    case InputError::normwise:
      return {};
  }
  return {};
}

/// What exact arithmetic proves of the matrix as given.
void bound_exactly(RankReport& report, const Tensor& a, int64_t work) {
  const Tensor wide = a.size(0) <= a.size(1) ? a : a.t();
  if (wide.numel() > work) return;
  lower_at_most(report, exactly_distinct_directions(wide), "multiples");
  if (wide.numel() > std::min(work / std::max<int64_t>(wide.size(0), 1), most_exact_entries)) return;
  const int64_t rank = ExactMatrix(wide).rank();
  lower_at_most(report, rank, "exact arithmetic");
  if (report.relative_error == 0) report.at_least = std::max(report.at_least, rank);
}

PowerScaling uniform_scaling(const Tensor& a, int exponent) {
  return {std::vector<int>(static_cast<size_t>(a.size(0)), exponent),
          std::vector<int>(static_cast<size_t>(a.size(1)), 0)};
}

/// Singular values times 2^exponent, none above float64's largest number.
Spectrum rescaled(const Tensor& values, int exponent) {
  Tensor result = values.clone();
  for (int64_t i = 0; i < result.numel(); ++i)
    result[i] = std::min(std::ldexp(values[i].item<double>(), exponent), std::numeric_limits<double>::max());
  return Spectrum::of_singular_values(result);
}

void try_scalings(RankReport& report, LowerBound& bound, const Tensor& a, InputError error) {
  for (const Equilibration rule : scalings_for(error)) {
    if (report.at_least >= report.at_most) return;
    const Tensor b = scaled(a, equilibration(a, rule));
    bound.consider(singular_values(b), b.norm().item<double>(), std::max(a.size(0), a.size(1)),
                   report.relative_error);
    report.at_least = std::max(report.at_least, bound.count);
  }
}

}  // namespace

std::string RankReport::text() const {
  const std::string rank_text =
      resolved ? fmt::format("rank {}", rank) : fmt::format("rank {} to {}", at_least, at_most);
  const std::string line = fmt::format("{} of {} x {} ({}, {})", rank_text, rows, columns, method, dtype);
  return resolved ? line : line + ": not resolved: " + advice;
}

RankReport rank_of_matrix(const Tensor& a, const RankOptions& options) {
  const Tensor entries = checked_entries(a);
  const at::ScalarType dtype =
      options.computed_in == at::ScalarType::Undefined ? a.scalar_type() : options.computed_in;
  RankReport report = begin_report("svd", a.size(0), a.size(1), dtype, options);
  const int64_t longer_side = std::max(report.rows, report.columns);
  LowerBound bound;
  if (entries.numel() > 0) {
    const int exponent = common_exponent(entries);
    const Tensor unit = scaled(entries, uniform_scaling(entries, exponent));
    const Tensor values = singular_values(unit);
    describe_spectrum(report, rescaled(values, -exponent),
                      static_cast<double>(longer_side) * epsilon_of_entries(dtype),
                      epsilon_of_entries(dtype));
    bound.consider(values, unit.norm().item<double>(), longer_side, report.relative_error);
    if (unit.abs().max().item<double>() == 0) lower_at_most(report, 0, "exact arithmetic");
  }
  report.at_least = bound.count;
  take_stated_bound(report, options);
  if (report.at_least < report.at_most) bound_exactly(report, entries, options.exact_work);
  try_scalings(report, bound, entries, options.error);
  conclude(report, bound.threshold,
           single_precision(dtype)
               ? "compute the matrix in float64"
               : "no structure of it proves that they are 0; a bound that is known can be stated (at_most), "
                 "and a matrix that is exact as it is has a relative_error of 0");
  return report;
}

int64_t numerical_rank(const Tensor& a, double relative_tolerance) {
  expects(relative_tolerance >= 0, "numerical rank: a tolerance of {}; at least 0 is expected",
          relative_tolerance);
  const Tensor entries = checked_entries(a);
  if (entries.numel() == 0) return 0;
  const Tensor values = singular_values(entries);
  return (values > relative_tolerance * values[0]).sum().item<int64_t>();
}

RankReport rank_of_gram(const Tensor& gram, int64_t inner, const RankOptions& options,
                        const Tensor& eigenvalues) {
  const Tensor g = checked_symmetric(gram).to(at::kCPU);
  const int64_t size = g.size(0);
  expects(inner >= 0, "rank: sums of length {}; 0 (unknown) or more is expected", inner);
  if (inner == 0) inner = size;
  const double epsilon = epsilon_of_entries(gram.scalar_type());
  RankOptions entries = options;
  if (entries.computed_in == at::ScalarType::Undefined) entries.computed_in = gram.scalar_type();
  RankReport report = begin_report("gram", size, inner, entries.computed_in, entries);
  report.dtype = single_precision(gram.scalar_type()) ? "float32" : "float64";
  const Tensor own = eigenvalues.defined() ? eigenvalues.to(at::kCPU) : symmetric_eigenvalues(g);
  expects(own.numel() == size, "rank: {} eigenvalues of {} rows; all are expected", own.numel(), size);
  Spectrum spectrum = Spectrum::of_gram_eigenvalues(own);
  // A A^T of an m x n matrix has m - n eigenvalues that are 0 whatever A is: they are no singular values of
  // A.
  if (inner < size) spectrum.values = spectrum.values.narrow(0, 0, inner);
  describe_spectrum(report, std::move(spectrum),
                    std::sqrt(static_cast<double>(std::max(size, inner)) * epsilon), std::sqrt(epsilon));
  take_stated_bound(report, options);

  const GramBound bound{static_cast<double>(inner), epsilon, smallest_normal(gram.scalar_type()),
                        report.relative_error};
  LowerBound best;
  bound.consider(best, own, g.diagonal());
  report.at_least = std::min(best.count, report.at_most);
  if (report.at_least < report.at_most && options.error != InputError::normwise) {
    const Tensor c = bound.equilibrated(g);
    if (at::isfinite(c).all().item<bool>()) bound.consider(best, symmetric_eigenvalues(c), c.diagonal());
    report.at_least = std::min(best.count, report.at_most);
  }
  conclude(report, best.threshold, "take the singular values of the matrix itself in float64 (svd or tsqr)");
  return report;
}

RankReport rank_of_triangular_factor(const Tensor& r, int64_t rows, int64_t nonzero_columns,
                                     const RankOptions& options) {
  const Tensor factor = checked_entries(r);
  const at::ScalarType dtype =
      options.computed_in == at::ScalarType::Undefined ? r.scalar_type() : options.computed_in;
  RankReport report = begin_report("tsqr", rows, r.size(1), dtype, options);
  expects(factor.numel() > 0, "rank: an empty triangular factor; at least one row is expected");
  const int64_t longer_side = std::max(report.rows, report.columns);
  lower_at_most(report, nonzero_columns, "multiples");
  take_stated_bound(report, options);
  const double share = static_cast<double>(longer_side) * epsilon_of_entries(dtype);
  const int exponent = common_exponent(factor);
  const Tensor unit = scaled(factor, uniform_scaling(factor, exponent));
  const Tensor values = singular_values(unit);
  describe_spectrum(report, rescaled(values, -exponent), share, epsilon_of_entries(dtype));
  LowerBound bound;
  bound.consider(values, unit.norm().item<double>(), longer_side, report.relative_error);
  report.at_least = std::min(bound.count, report.at_most);
  if (options.error != InputError::normwise && report.at_least < report.at_most) {
    // The rows of A^T may have any scale, but those whose sums of products lost digits to underflow.
    const double tiny = static_cast<double>(longer_side) * smallest_normal(at::kDouble) / double_epsilon;
    const Tensor kept = factor.t() * (std::get<0>(factor.abs().max(0)).unsqueeze(1) > tiny);
    const Tensor b = scaled(kept, equilibration(kept, Equilibration::row_maxima));
    bound.consider(singular_values(b), b.norm().item<double>(), longer_side, report.relative_error);
    report.at_least = std::min(bound.count, report.at_most);
  }
  conclude(report, bound.threshold,
           single_precision(dtype)
               ? "compute the matrix in float64"
               : "the factor has no more digits to give; a bound that is known can be stated (at_most)");
  return report;
}

}  // namespace plumb
