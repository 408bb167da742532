#include "plumb/analysis/lobpcg.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include <torch/torch.h>

#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// Orthonormal columns that span w and are orthogonal to the orthonormal `basis`, to rounding.
Tensor orthonormal_beside(const Tensor& basis, Tensor w) {
  // Directions all but inside the basis come out of the first round as noise; the second makes them
  // orthogonal too.
  for (int round = 0; round < 2; ++round) {
    w = w / w.norm(2, {0}, true).clamp_min(std::numeric_limits<float>::min());
    for (int pass = 0; pass < 2; ++pass) w = w - at::mm(basis, at::mm(basis.t(), w));
    w = std::get<0>(at::linalg_qr(w));
  }
  return w;
}

/// A block of vectors and what A makes of it.
struct MappedBlock {
  Tensor vectors;  // (size, b)
  Tensor images;   // (size, b): sign A vectors

  MappedBlock turned(const Tensor& coefficients) const {
    const Tensor c = coefficients.to(vectors.options());
    return {at::mm(vectors, c), at::mm(images, c)};
  }
};

/// The iteration for the smallest eigenpairs of sign * A.
class BlockSearch {
 public:
  BlockSearch(const SymmetricOperator& a, const LobpcgOptions& options, int64_t block,
              at::Generator& generator)
      : a_(a), options_(options), sign_(options.end == SpectrumEnd::smallest ? 1 : -1), block_(block) {
    const bool single = c10::typeMetaToScalarType(a.options().dtype()) == at::kFloat;
    tolerance_ = options.tolerance > 0 ? options.tolerance : single ? 1e-5 : 1e-9;
    const Tensor draw = at::randn({a.size(), block}, generator, at::TensorOptions(at::kDouble));
    x_ = mapped(std::get<0>(at::linalg_qr(draw)).to(a.options()));
    rotate(x_);
  }

  void run() {
    while (iterations_ < options_.iterations) {
      const Tensor residual = x_.images - x_.vectors * values_.to(x_.vectors.options());
      const Tensor active = unconverged(residual);
      if (active.numel() == 0) return;
      step(residual.index_select(1, active), active);
      ++iterations_;
    }
  }

  const Tensor& vectors() const { return x_.vectors; }
  double norm() const { return norm_; }
  double tolerance() const { return tolerance_; }
  int64_t iterations() const { return iterations_; }
  int64_t products() const { return products_; }

 private:
  MappedBlock mapped(const Tensor& vectors) {
    products_ += vectors.size(1);
    MappedBlock block{vectors, a_.apply(vectors).detach() * sign_};
    expects(at::isfinite(block.images).all().item<bool>(),
            "lobpcg: a product of iteration {} with the operator is not finite", iterations_);
    return block;
  }

  /// The columns that still move: none once the wanted ones have converged.
  Tensor unconverged(const Tensor& residual) const {
    const Tensor open = residual.to(at::kDouble).norm(2, {0}) > 0.5 * tolerance_ * norm_;
    if (!open.narrow(0, 0, options_.count).any().item<bool>()) return at::empty({0}, at::kLong);
    return open.nonzero().squeeze(1);
  }

  /// Coefficients, ascending in value, of all Ritz vectors of an orthonormal basis.
  Tensor rayleigh_ritz(const MappedBlock& basis) {
    const Tensor projected = at::mm(basis.vectors.t(), basis.images).to(at::kCPU, at::kDouble);
    const OneBlasThread small(projected.size(0));
    auto [values, vectors] = at::linalg_eigh((projected + projected.t()) / 2);
    values_ = values.narrow(0, 0, block_);
    norm_ = std::max(norm_, values.abs().max().item<double>());
    return vectors;
  }

  void rotate(MappedBlock& block) { block = block.turned(rayleigh_ritz(block)); }

  void step(const Tensor& residual, const Tensor& active) {
    const Tensor direction = options_.preconditioner ? options_.preconditioner(residual).detach() : residual;
    MappedBlock basis = x_;
    if (p_.vectors.defined())
      basis = {at::cat({basis.vectors, p_.vectors}, 1), at::cat({basis.images, p_.images}, 1)};
    const MappedBlock w = mapped(orthonormal_beside(basis.vectors, direction));
    basis = {at::cat({basis.vectors, w.vectors}, 1), at::cat({basis.images, w.images}, 1)};
    const Tensor coefficients = rayleigh_ritz(basis);
    const Tensor wanted = coefficients.narrow(1, 0, block_);
    x_ = basis.turned(wanted);
    // The move of each vector that moved, without its old part, made orthonormal in coefficients, where it is
    // cheap.
    Tensor moves = wanted.index_select(1, active);
    moves.narrow(0, 0, block_).zero_();
    p_ = basis.turned(orthonormal_beside(wanted, moves));
  }

  const SymmetricOperator& a_;
  const LobpcgOptions& options_;
  double sign_;
  int64_t block_;
  double tolerance_ = 0;

  MappedBlock x_;
  MappedBlock p_;  // undefined in the first iteration
  Tensor values_;  // (block) of sign * A, float64 on the CPU
  double norm_ = 0;
  int64_t iterations_ = 0;
  int64_t products_ = 0;
};

}  // namespace

EigenpairResult lobpcg(const SymmetricOperator& a, const LobpcgOptions& options, at::Generator& generator) {
  expects(a.size() > 0 && options.count > 0 && options.count <= a.size(),
          "lobpcg: {} eigenpairs of an operator of size {}; 1 to the size are possible", options.count,
          a.size());
  const int64_t asked =
      options.block > 0 ? options.block : options.count + std::max<int64_t>(2, options.count / 4);
  expects(asked >= options.count,
          "lobpcg: a block of {} vectors for {} eigenpairs; at least as many are needed", asked,
          options.count);
  // The basis [X, W, P] must fit into the space: a smaller one is all of it from the start.
  const bool whole = a.size() < 3 * asked;
  BlockSearch search(a, options, whole ? a.size() : asked, generator);
  if (!whole) search.run();

  EigenpairResult result;
  result.eigenvectors = search.vectors().narrow(1, 0, options.count).contiguous();
  const Tensor wide = result.eigenvectors.to(at::kDouble);
  const Tensor product = a.apply(result.eigenvectors).detach().to(at::kDouble);
  const Tensor squares = wide.square().sum(0);
  const Tensor values = (wide * product).sum(0) / squares;
  result.residuals = (product - wide * values).square().sum(0).div(squares).sqrt().to(at::kCPU);
  result.eigenvalues = values.to(at::kCPU);
  result.products = search.products() + options.count;
  result.iterations = search.iterations();
  result.converged = (result.residuals <= search.tolerance() * search.norm()).all().item<bool>();
  return result;
}

}  // namespace plumb
