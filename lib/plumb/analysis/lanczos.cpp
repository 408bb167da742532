#include "plumb/analysis/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// Ritz pairs of one search, the wanted ones, outermost first.
struct RitzPairs {
  Tensor values;        // (k) float64 on the CPU, of sign * A
  Tensor coefficients;  // (k, basis) float64 on the CPU
  Tensor vectors;       // (k, size): rows, as the basis is kept; at the end of a search
  bool converged = false;
};

/// Searches of the largest eigenpairs of sign * A in the complement of locked vectors.
class LanczosSearch {
 public:
  LanczosSearch(const SymmetricOperator& a, const LanczosOptions& options, at::Generator& generator)
      : a_(a),
        generator_(generator),
        sign_(options.end == SpectrumEnd::largest ? 1 : -1),
        product_limit_(options.products),
        tensor_options_(a.options()) {
    const bool single = c10::typeMetaToScalarType(tensor_options_.dtype()) == at::kFloat;
    epsilon_ = single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
    tolerance_ = options.tolerance > 0 ? options.tolerance : single ? 1e-5 : 1e-9;
    basis_limit_ = options.basis > 0 ? options.basis : std::max<int64_t>(2 * options.count + 20, 40);
    locked_ = at::empty({0, a.size()}, tensor_options_);
  }

  /// The `wanted` largest pairs. With a floor, the search may end unconverged in vectors once its largest
  /// pair, after a whole basis, lies below the floor by more than its residual.
  RitzPairs run(int64_t wanted, double floor = -std::numeric_limits<double>::infinity());

  void lock(const Tensor& vectors) { locked_ = vectors; }

  double norm() const { return norm_; }
  double tolerance() const { return tolerance_; }
  int64_t products() const { return products_; }
  int64_t restarts() const { return restarts_; }
  double sign() const { return sign_; }

 private:
  Tensor draw_orthogonal(int64_t filled);
  void extend();
  SymmetricEigen projected_eigen() const;
  RitzPairs ritz(int64_t wanted, double floor);
  void restart(int64_t wanted);

  /// Takes out of w what lies along the first `filled` basis vectors and the locked ones; returns the
  /// former's coefficients.
  Tensor orthogonalize(Tensor& w, int64_t filled) const {
    const Tensor basis = basis_.narrow(0, 0, filled);
    Tensor coefficients = at::zeros({filled}, tensor_options_.dtype(at::kDouble));
    for (int pass = 0; pass < 2; ++pass) {
      const Tensor along = at::mv(basis, w);
      w = w - at::mv(basis.t(), along) - at::mv(locked_.t(), at::mv(locked_, w));
      coefficients += along;
    }
    return coefficients.to(at::kCPU);
  }

  const SymmetricOperator& a_;
  at::Generator& generator_;
  double sign_;
  int64_t product_limit_;
  at::TensorOptions tensor_options_;
  double epsilon_ = 0;
  double tolerance_ = 0;
  int64_t basis_limit_ = 0;

  Tensor locked_;     // (l, size)
  Tensor basis_;      // (m + 1, size): rows 0 .. filled_, the last one not yet multiplied
  Tensor projected_;  // (m, m) float64 on the CPU: basis A basis^T of the rows below filled_
  int64_t dimension_ = 0;
  int64_t capacity_ = 0;
  int64_t filled_ = 0;
  double coupling_ = 0;  // norm of what A basis has outside of the basis

  double norm_ = 0;
  int64_t products_ = 0;
  int64_t restarts_ = 0;
};

Tensor LanczosSearch::draw_orthogonal(int64_t filled) {
  // A draw lies in the span of the others to rounding only where they all but fill the space: seldom twice.
  for (int draw = 0; draw < 100; ++draw) {
    Tensor q = at::randn({a_.size()}, generator_, at::TensorOptions(at::kDouble)).to(tensor_options_);
    const double before = q.norm().item<double>();
    orthogonalize(q, filled);
    const double after = q.norm().item<double>();
    if (after > std::sqrt(epsilon_) * before) return q / after;
  }
  throw ContractError(
      "lanczos: no direction is left beside the basis; the operator's blocks keep no precision");
}

void LanczosSearch::extend() {
  const int64_t j = filled_;
  Tensor w = a_.apply(basis_[j].unsqueeze(1)).detach().squeeze(1) * sign_;
  ++products_;
  const double size_of_product = w.norm().item<double>();
  expects(std::isfinite(size_of_product), "lanczos: product {} with the operator is not finite", products_);
  // For a symmetric A the coefficients are column and row of the projected matrix; earlier ones, zero but for
  // rounding and the restart, are kept as computed.
  const Tensor coefficients = orthogonalize(w, j + 1);
  projected_.select(1, j).narrow(0, 0, j + 1).copy_(coefficients);
  projected_[j].narrow(0, 0, j + 1).copy_(coefficients);
  filled_ = j + 1;
  norm_ = std::max(norm_, size_of_product);
  coupling_ = 0;
  if (filled_ == dimension_) return;
  const double rest = w.norm().item<double>();
  if (rest > 10 * epsilon_ * norm_) {
    coupling_ = rest;
    basis_[filled_].copy_(w / rest);
  } else {
    // The basis spans an invariant space; what else there is can only be reached from elsewhere.
    basis_[filled_].copy_(draw_orthogonal(filled_));
  }
}

SymmetricEigen LanczosSearch::projected_eigen() const {
  const OneBlasThread small(filled_);
  auto [values, vectors] =
      at::linalg_eigh(projected_.narrow(0, 0, filled_).narrow(1, 0, filled_).contiguous());
  return {values, vectors};
}

RitzPairs LanczosSearch::ritz(int64_t wanted, double floor) {
  const auto [values, vectors] = projected_eigen();
  const int64_t k = std::min(wanted, filled_);
  const Tensor last = values.narrow(0, filled_ - k, k).flip(0);
  RitzPairs pairs;
  pairs.values = last;
  pairs.coefficients = vectors.narrow(1, filled_ - k, k).flip(1).t();
  const Tensor estimates = (pairs.coefficients.select(1, filled_ - 1) * coupling_).abs();
  // Half of what is allowed: the true residuals, computed at the end, differ by rounding.
  const bool settled = (estimates <= 0.5 * tolerance_ * norm_).all().item<bool>();
  const bool below = filled_ == capacity_ && (last + estimates <= floor).all().item<bool>();
  pairs.converged = (k == wanted && (settled || below)) || filled_ == dimension_;
  return pairs;
}

void LanczosSearch::restart(int64_t wanted) {
  const int64_t kept = std::min(filled_ - 1, wanted + (filled_ - wanted) / 3);
  const auto [values, vectors] = projected_eigen();
  const Tensor chosen = vectors.narrow(1, filled_ - kept, kept).flip(1);
  const Tensor turned = at::mm(chosen.t().to(tensor_options_), basis_.narrow(0, 0, filled_));
  const Tensor next = basis_[filled_].clone();
  basis_.narrow(0, 0, kept).copy_(turned);
  basis_[kept].copy_(next);
  projected_.zero_();
  projected_.diagonal().narrow(0, 0, kept).copy_(values.narrow(0, filled_ - kept, kept).flip(0));
  filled_ = kept;
  ++restarts_;
}

RitzPairs LanczosSearch::run(int64_t wanted, double floor) {
  dimension_ = a_.size() - locked_.size(0);
  capacity_ = std::min(std::max(basis_limit_, wanted + 2), dimension_);
  basis_ = at::zeros({capacity_ + 1, a_.size()}, tensor_options_);
  projected_ = at::zeros({capacity_, capacity_}, at::kDouble);
  filled_ = 0;
  basis_[0].copy_(draw_orthogonal(0));
  constexpr int64_t steps_between_looks = 8;
  for (;;) {
    extend();
    const bool spent = products_ >= product_limit_;
    if (filled_ < capacity_ && filled_ % steps_between_looks != 0 && !spent) continue;
    RitzPairs pairs = ritz(wanted, floor);
    if (pairs.converged || spent) {
      pairs.vectors = at::mm(pairs.coefficients.to(tensor_options_), basis_.narrow(0, 0, filled_));
      return pairs;
    }
    if (filled_ == capacity_) restart(wanted);
  }
}

/// Adds what the complement of the pairs found still holds of their range, until it holds nothing.
void add_hidden_copies(LanczosSearch& search, int64_t count, int64_t size, RitzPairs& found) {
  while (found.converged && found.values.numel() < size) {
    search.lock(found.vectors);
    const double slack = search.tolerance() * search.norm();
    const double least = found.values[-1].item<double>();
    const RitzPairs other = search.run(1, least);
    found.converged = other.converged;
    if (other.values[0].item<double>() <= least + slack) return;
    const Tensor values = at::cat({found.values, other.values});
    const Tensor order = values.argsort(0, /*descending=*/true).narrow(0, 0, count);
    found.vectors = at::cat({found.vectors, other.vectors}).index_select(0, order.to(found.vectors.device()));
    found.values = values.index_select(0, order);
  }
}

}  // namespace

EigenpairResult lanczos(const SymmetricOperator& a, const LanczosOptions& options, at::Generator& generator) {
  expects(a.size() > 0 && options.count > 0 && options.count <= a.size(),
          "lanczos: {} eigenpairs of an operator of size {}; 1 to the size are possible", options.count,
          a.size());
  expects(options.basis == 0 || options.basis >= options.count + 2,
          "lanczos: a basis of {} vectors for {} eigenpairs; at least {} are needed", options.basis,
          options.count, options.count + 2);
  LanczosSearch search(a, options, generator);
  RitzPairs found = search.run(options.count);
  if (options.multiple) add_hidden_copies(search, options.count, a.size(), found);

  EigenpairResult result;
  const Tensor x = found.vectors.t().contiguous();
  const Tensor wide = x.to(at::kDouble);
  const Tensor product = a.apply(x).detach().to(at::kDouble);
  const Tensor squares = wide.square().sum(0);
  const Tensor values = (wide * product).sum(0) / squares;
  const Tensor residuals = (product - wide * values).square().sum(0).div(squares).sqrt();
  const Tensor order = values.argsort(0, options.end == SpectrumEnd::largest);
  result.eigenvalues = values.index_select(0, order).to(at::kCPU);
  result.residuals = residuals.index_select(0, order).to(at::kCPU);
  if (options.vectors) result.eigenvectors = x.index_select(1, order);
  result.products = search.products() + x.size(1);
  result.iterations = search.restarts();
  result.converged = found.converged && found.values.numel() == options.count &&
                     (result.residuals <= search.tolerance() * search.norm()).all().item<bool>();
  return result;
}

}  // namespace plumb
