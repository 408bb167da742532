#include "plumb/analysis/smallest_eigenvalue.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

constexpr double unit_roundoff = std::numeric_limits<double>::epsilon() / 2;
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

double roundoff_of(at::ScalarType dtype) {
  expects(dtype == at::kFloat || dtype == at::kDouble,
          "smallest eigenvalue: entries of {}; float32 or float64 is expected", c10::toString(dtype));
  return dtype == at::kFloat ? std::numeric_limits<float>::epsilon() / 2 : unit_roundoff;
}

/// gamma_k = k u / (1 - k u), the growth of k roundings (Higham 2002, Lemma 3.1).
double rounding_growth(int64_t k) {
  const double ku = static_cast<double>(k) * unit_roundoff;
  return ku / (1 - ku);
}

/// The factor L of a - s I, undefined where the factorization fails.
Tensor shifted_cholesky(const Tensor& a, double s) {
  Tensor shifted = a.clone();
  shifted.diagonal().sub_(s);
  auto [factor, info] = at::linalg_cholesky_ex(shifted);
  return info.item<int64_t>() == 0 ? factor : Tensor();
}

/// What rounding can hide when the Cholesky factorization of fl(a - s I) ends; see the header for gamma.
double certificate_slack(const Tensor& a, double s) {
  const Tensor diagonal = a.diagonal() - s;
  const double gamma = rounding_growth(a.size(0) + 4);
  const double trace = diagonal.abs().sum().item<double>();
  // The last term is that of the subtraction on the diagonal; the factor covers the roundings of this line.
  return (gamma / (1 - gamma) * trace + unit_roundoff * diagonal.abs().max().item<double>()) * (1 + 1e-10);
}

/// The largest certified lower bound that few factorizations find: near the computed value less the least
/// that the slack takes away, then downwards in growing steps until one succeeds, then by halves between
/// while that gains anything.
double certify(const Tensor& a, double computed, double error, int64_t factorizations) {
  double best = minus_infinity;
  double fails = computed;
  double succeeds = minus_infinity;
  double step = std::max(error, std::abs(computed) * 1e-3);
  for (int64_t i = 0; i < factorizations; ++i) {
    const bool bracketed = succeeds > minus_infinity;
    // What is left to gain is less than what the slack takes, or than anyone would read.
    if (bracketed && fails - succeeds <= std::max(succeeds - best, 0.01 * computed)) break;
    const double s = bracketed ? 0.5 * (succeeds + fails) : computed - step;
    if (!bracketed && s <= 0) break;
    const double bound = certified_lower_bound(a, s);
    if (bound > minus_infinity) {
      succeeds = s;
      best = std::max(best, bound);
    } else {
      fails = s;
    }
    step *= 8;
  }
  return best;
}

/// A unit vector near the eigenspace of the smallest eigenvalue: two steps of inverse iteration with G - s I,
/// s below it.
Tensor inverse_iteration(const Tensor& a, double computed, double error) {
  const Tensor factor = shifted_cholesky(a, computed - 4 * error - 1e-300);
  if (!factor.defined()) return {};
  // A fixed start with every sign pattern a matrix is unlikely to know; a poor one only makes `upper` less
  // sharp.
  Tensor v = at::cos(at::arange(1, a.size(0) + 1, a.options()).square()).unsqueeze(1);
  for (int i = 0; i < 3; ++i) {
    v = at::cholesky_solve(v / v.norm(), factor);
    if (!std::isfinite(v.norm().item<double>())) return {};
  }
  return v / v.norm();
}

/// Lowers `upper` to the Rayleigh quotient of one vector and the rounding of computing that.
void tighten_upper(SmallestEigenvalue& result, const Tensor& a, double solver_error, double formation_error) {
  const Tensor v = inverse_iteration(a, result.computed, solver_error);
  if (!v.defined()) return;
  const Tensor product = at::mm(a, v);
  const double square = v.square().sum().item<double>();
  const double quotient = (v * product).sum().item<double>() / square;
  result.residual = (product - v * quotient).norm().item<double>() / std::sqrt(square);
  // |v|^T |A| |v| is what the sums could have lost a share gamma of.
  const double mass = at::mm(a.abs(), v.abs()).mul_(v.abs()).sum().item<double>() / square;
  const double rounding = rounding_growth(2 * a.size(0) + 4) * mass;
  result.upper = std::min(result.upper, quotient + rounding + formation_error);
}

/// The interval of a semidefinite matrix from that of the numbers given.
void clip_to_semidefinite(SmallestEigenvalue& result) {
  result.indefinite = result.upper < 0;
  // G is semidefinite, so whatever made the given numbers indefinite is at least as large as the value is
  // negative.
  if (result.indefinite) result.upper = result.error - result.computed;
  result.value = std::max(result.computed, 0.0);
  result.lower = std::max(result.lower, 0.0);
  result.upper = std::max(result.upper, result.lower);
  result.value = std::clamp(result.value, result.lower, result.upper);
  result.resolved = result.lower > 0;
}

}  // namespace

std::string SmallestEigenvalue::text() const {
  std::string line = fmt::format("{:.3g} in [{:.3g}, {:.3g}] ({}", value, lower, upper, method);
  if (certified_lower > 0) line += fmt::format("; certified above {:.3g}", certified_lower);
  line += ")";
  return resolved ? line : line + ": not resolved, it may be 0";
}

double gram_formation_error(const Tensor& gram, int64_t inner, at::ScalarType dtype) {
  expects(inner >= 0, "smallest eigenvalue: sums of length {}; 0 or more is expected", inner);
  const double trace = gram.diagonal().to(at::kDouble).abs().sum().item<double>();
  return 4 * std::sqrt(static_cast<double>(inner)) * roundoff_of(dtype) * trace;
}

double certified_lower_bound(const Tensor& a, double s) {
  if (!shifted_cholesky(a, s).defined()) return minus_infinity;
  return s - certificate_slack(a, s);
}

SmallestEigenvalue smallest_eigenvalue(const Tensor& gram, const SmallestEigenvalueOptions& options) {
  const Tensor a = checked_symmetric(gram, options.dtype == at::kFloat ? 1e-3 : 0);
  const at::ScalarType dtype =
      options.dtype == at::ScalarType::Undefined ? gram.scalar_type() : options.dtype;
  const double formation_error = gram_formation_error(a, options.inner, dtype);
  const OneBlasThread small(a.size(0));
  const Tensor values = options.eigenvalues.defined() ? options.eigenvalues : at::linalg_eigvalsh(a);
  expects(values.size(0) == a.size(0), "smallest eigenvalue: {} eigenvalues of {} rows are given",
          values.size(0), a.size(0));
  SmallestEigenvalue result;
  result.method = "dense";
  result.computed = values[0].item<double>();
  result.lambda_max = values[-1].item<double>();
  const double norm = std::max(std::abs(result.computed), std::abs(result.lambda_max));
  const double solver_error = static_cast<double>(a.size(0)) * unit_roundoff * norm;
  result.error = solver_error + formation_error;
  result.lower = result.computed - result.error;
  result.upper = result.computed + result.error;
  result.residual = std::numeric_limits<double>::quiet_NaN();
  tighten_upper(result, a, solver_error, formation_error);
  if (options.factorizations > 0) {
    result.certified_size = a.size(0);
    const double certified =
        certify(a, result.computed, solver_error, options.factorizations) - formation_error;
    result.certified_lower = std::max(certified, 0.0);
    result.lower = std::max(result.lower, certified);
  }
  clip_to_semidefinite(result);
  return result;
}

SmallestEigenvalue smallest_eigenvalue(const SymmetricOperator& a, LanczosOptions options,
                                       at::Generator& generator) {
  options.count = 1;
  options.end = SpectrumEnd::largest;
  const EigenpairResult top = lanczos(a, options, generator);
  options.end = SpectrumEnd::smallest;
  const EigenpairResult bottom = lanczos(a, options, generator);
  SmallestEigenvalue result;
  result.method = "lanczos";
  result.computed = bottom.value();
  result.lambda_max = top.value();
  const double norm = std::max(std::abs(top.value()), std::abs(bottom.value()));
  const double rounding =
      static_cast<double>(a.size()) * roundoff_of(c10::typeMetaToScalarType(a.options().dtype())) * norm;
  result.residual = bottom.residual();
  result.error = result.residual + rounding;
  result.lower = result.computed - result.error;
  // The Ritz value is a Rayleigh quotient: no residual is needed above it.
  result.upper = result.computed + rounding;
  clip_to_semidefinite(result);
  result.resolved = result.resolved && bottom.converged;
  return result;
}

}  // namespace plumb
