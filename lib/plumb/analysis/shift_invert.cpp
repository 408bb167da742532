#include "plumb/analysis/shift_invert.hpp"

#include <algorithm>
#include <tuple>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// Replaces the inverse's eigenvalues and residuals by those of A for the same vectors, nearest to the shift
/// first.
void express_in_original(EigenpairResult& result, const SymmetricOperator& a, double shift, int64_t count) {
  const Tensor wide = result.eigenvectors.to(at::kDouble);
  const Tensor product = a.apply(result.eigenvectors.to(a.options())).detach().to(at::kDouble);
  const Tensor squares = wide.square().sum(0);
  const Tensor values = (wide * product).sum(0) / squares;
  const Tensor residuals = (product - wide * values).square().sum(0).div(squares).sqrt();
  const Tensor order = (values - shift).abs().argsort().narrow(0, 0, count);
  result.eigenvalues = values.index_select(0, order).to(at::kCPU);
  result.residuals = residuals.index_select(0, order).to(at::kCPU);
  result.eigenvectors = result.eigenvectors.index_select(1, order);
}

EigenpairResult both_ends(const SymmetricOperator& inverse, LanczosOptions options,
                          at::Generator& generator) {
  options.end = SpectrumEnd::largest;
  EigenpairResult above = lanczos(inverse, options, generator);
  options.end = SpectrumEnd::smallest;
  const EigenpairResult below = lanczos(inverse, options, generator);
  // Where the ends meet, in small spaces, a pair comes from both: one of each sign is enough.
  const Tensor positive = (above.eigenvalues > 0).nonzero().squeeze(1);
  const Tensor negative = (below.eigenvalues < 0).nonzero().squeeze(1);
  const auto device = above.eigenvectors.device();
  above.eigenvectors = at::cat({above.eigenvectors.index_select(1, positive.to(device)),
                                below.eigenvectors.index_select(1, negative.to(device))},
                               1);
  above.products += below.products;
  above.iterations += below.iterations;
  above.converged = above.converged && below.converged;
  return above;
}

}  // namespace

InverseOperator::InverseOperator(const Tensor& a, double shift) {
  Tensor shifted = checked_symmetric(a);
  shifted.diagonal().sub_(shift);
  const OneBlasThread small(shifted.size(0));
  auto [cholesky, info] = at::linalg_cholesky_ex(shifted);
  if (info.item<int64_t>() == 0) {
    factor_ = cholesky;
    return;
  }
  Tensor broken;
  std::tie(factor_, pivots_, broken) = at::linalg_ldl_factor_ex(shifted);
  expects(broken.item<int64_t>() == 0,
          "shift and invert: the matrix less {:.6g} I is singular; move the shift off "
          "the eigenvalue",
          shift);
}

Tensor InverseOperator::apply(const Tensor& x) const {
  Tensor y = definite() ? at::cholesky_solve(x, factor_) : at::linalg_ldl_solve(factor_, pivots_, x);
  expects(at::isfinite(y).all().item<bool>(),
          "shift and invert: a solve is not finite; the shift is an eigenvalue to rounding");
  return y;
}

Tensor IterativeInverseOperator::apply(const Tensor& x) const {
  const SolveResult solve = conjugate_gradient(shifted_, x, options_);
  expects(!solve.indefinite,
          "shift and invert: the operator has an eigenvalue below the shift; conjugate gradients "
          "need a shift below the spectrum");
  converged_ = converged_ && solve.converged;
  return solve.solution;
}

EigenpairResult shift_invert(const Tensor& a, double shift, const LanczosOptions& options,
                             at::Generator& generator) {
  const InverseOperator inverse(a, shift);
  LanczosOptions inner = options;
  inner.end = SpectrumEnd::largest;
  inner.vectors = true;
  EigenpairResult result =
      inverse.definite() ? lanczos(inverse, inner, generator) : both_ends(inverse, inner, generator);
  express_in_original(result, DenseSymmetricOperator(checked_symmetric(a)), shift,
                      std::min(options.count, result.eigenvectors.size(1)));
  if (!options.vectors) result.eigenvectors = Tensor();
  return result;
}

EigenpairResult shift_invert(const SymmetricOperator& a, double shift, const LanczosOptions& options,
                             at::Generator& generator, const ConjugateGradientOptions& solver) {
  const IterativeInverseOperator inverse(a, shift, solver);
  LanczosOptions inner = options;
  inner.end = SpectrumEnd::largest;
  inner.vectors = true;
  EigenpairResult result = lanczos(inverse, inner, generator);
  express_in_original(result, a, shift, result.eigenvectors.size(1));
  result.converged = result.converged && inverse.converged();
  if (!options.vectors) result.eigenvectors = Tensor();
  return result;
}

}  // namespace plumb
