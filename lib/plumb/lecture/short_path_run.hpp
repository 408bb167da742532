/// Gradient descent on one wide hidden layer of tanh units beside the nearest solution, the norm of its
/// Hessian, and the conditioning of Gaussian Jacobians: what S14 measures.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Generator.h>

#include "plumb/core/tensor.hpp"
#include "plumb/theory/nonlinear_least_squares.hpp"

namespace plumb {

/// f(x) = (1/sqrt m) sum_r a_r tanh(w_r.x) on fixed inputs; float64.
struct TanhNetwork {
  Tensor inputs;          // (n, d)
  Tensor output_weights;  // (m), a_r = +-1

  Tensor predictions(const Tensor& weights) const;  // weights: (m, d) -> (n)
  Tensor jacobian(const Tensor& weights) const;     // (n, m d), by closed form
  Tensor gram(const Tensor& weights) const;         // J J^T, (n, n), without forming J
};

/// Units m/2 + r repeat units r with the opposite a, so that f = 0 at the start; m is even.
Tensor paired_start(TanhNetwork& network, int64_t width, at::Generator& generator);

/// Gradient descent on 1/2 ||f - y||^2 in W with the longest step of the theorem, until ||f - y|| is 1e-10 of
/// its start or `steps` are done.
struct ShortPathRun {
  int64_t n = 0, width = 0;
  /// alpha solves alpha = sigma_min(J(w_0)) - lipschitz R(alpha), so that it bounds sigma_min on the whole
  /// ball; where there is no such alpha, half of sigma_min(J(w_0)).
  theory::LocalJacobian local;
  double sigma_start = 0;             // sigma_min(J(w_0))
  std::vector<int64_t> steps;         // recorded, from 1
  std::vector<double> residuals;      // ||f(w_t) - y||
  std::vector<double> displacements;  // ||w_t - w_0||
  double path = 0;                    // sum_t ||w_{t+1} - w_t||
  double linear_displacement = 0;     // sqrt(r_0^T G(0)^+ r_0)
  double nearest = 0;                 // ||w* - w_0|| of a solution that is stationary for the distance
  double nearest_error = 0;           // of its conditions: ||f(w*) - y||/||y|| plus the share of w* - w_0
                                      // outside the range of J(w*)^T
};
ShortPathRun run_short_path(const TanhNetwork& network, const Tensor& start, const Tensor& targets,
                            int64_t steps);

/// The largest |eigenvalue| of the Hessians of f(x_i) in W, over the examples: Lanczos at both ends on
/// products by automatic differentiation, and the closed form.
struct HessianNorm {
  double width = 0, measured = 0;
  theory::Prediction exact;
};
HessianNorm hessian_norm(const TanhNetwork& network, const Tensor& weights, at::Generator& generator);

/// log kappa(J J^T) of J (n, p) standard normal: mean over draws with its 95 % interval.
struct GaussianConditioning {
  int64_t n = 0, p = 0;
  theory::Measured log_condition;
};
GaussianConditioning gaussian_conditioning_of(int64_t n, int64_t p, int64_t draws, at::Generator& generator);

}  // namespace plumb
