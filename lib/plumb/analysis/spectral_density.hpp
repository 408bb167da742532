/// How the eigenvalues of a symmetric operator are distributed, by stochastic Lanczos quadrature.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Generator.h>

#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

struct SpectralDensityOptions {
  int64_t steps = 80;    // of Lanczos for each start vector: 2 steps - 1 moments of it are exact
  int64_t samples = 10;  // start vectors
  int64_t grid = 1024;   // points of the drawn density
  /// Standard deviation of the Gaussian drawn for each node. 0: a hundredth of the range of the nodes.
  double width = 0;
};

/// An estimate of (1 / size) sum_i delta(lambda - lambda_i).
struct SpectralDensity {
  Tensor nodes;    // (samples, steps) float64: Ritz values of each start vector
  Tensor weights;  // (samples, steps) float64: their weights, which sum to 1 over all
  Tensor grid;     // (g) float64: from 4 widths below the nodes to 4 above
  Tensor density;  // (g) float64: at the grid, the nodes drawn as Gaussians; integrates to 1
  double width = 0;
  int64_t products = 0;

  /// tr f(A) / size, estimated by sum w f(node).
  double mean(const std::function<double(double)>& f) const;

  /// tr A^k / size.
  double moment(int k) const;

  /// Standard error of the k-th moment, from the scatter between start vectors; NaN for a single one.
  double moment_standard_error(int k) const;
};

/// Lanczos from `samples` random unit vectors, each basis orthogonalized in full, in memory of steps * size
/// numbers (Lin, Saad and Yang 2016, section 3.2; Ghorbani, Krishnan and Xiao 2019). A space that ends early
/// has the exact nodes of its vector, and the other nodes have weight 0.
SpectralDensity spectral_density(const SymmetricOperator& a, const SpectralDensityOptions& options,
                                 at::Generator& generator);

}  // namespace plumb
