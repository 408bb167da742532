/// Training with a constant kernel in closed form: the outputs and residuals of gradient flow and of gradient
/// descent at any time, on the training examples and elsewhere.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/theory/prediction.hpp"
#include "plumb/theory/squared_loss.hpp"

namespace plumb::theory {

/// f_0, y and the kernel G between n training examples; the residual is y - f, as on the slides. Time and
/// steps are in units of gamma (see gamma_of_step): flow r' = -G r, descent r_{k+1} = (I - gamma G) r_k. With
/// L = 1/2 ||f - y||^2 gamma is the learning rate; otherwise multiply.
///
/// Exact for models linear in their parameters and, with the NTK, in the limit of infinite width (Lee et al.
/// 2019, eq. 8-10). A singular kernel is a kernel like any other: what lies in its null space never changes.
class KernelDynamics {
 public:
  /// `kernel`: (n, n) float64, symmetric and positive semidefinite up to rounding; `initial`, `targets`: (n,
  /// c) or (n). Eigenvalues below n 2^-52 lambda_max count as 0. Throws ContractError for what is not so.
  KernelDynamics(const Tensor& kernel, const Tensor& initial, const Tensor& targets);

  /// y - f_t = exp(-G t) (y - f_0), of the shape of the targets; t >= 0, and infinity is allowed.
  Tensor flow_residual(double t) const;
  /// y - f_k = (I - gamma G)^k (y - f_0) for k >= 0.
  Tensor descent_residual(double gamma, int64_t k) const;

  /// f_t on n' other examples: f_0(x) + G(x, X) G^-1 (I - exp(-G t)) (y - f_0). `cross`: (n', n) kernel
  /// between them and the training examples, `initial`: (n', c) or (n'). At infinity this is kernel
  /// regression, with the pseudo-inverse where G is singular.
  Tensor flow_outputs(double t, const Tensor& cross, const Tensor& initial) const;
  /// f_k on other examples: f_0(x) + G(x, X) gamma sum_{j < k} (I - gamma G)^j (y - f_0).
  Tensor descent_outputs(double gamma, int64_t k, const Tensor& cross, const Tensor& initial) const;

  /// The distance ||w_t - w_0|| of a linear model with this kernel: the square root of
  /// sum_i ((1 - exp(-lambda_i t))^2/lambda_i) <v_i, r_0>^2. At infinity sqrt(r_0^T G^+ r_0), that of the
  /// interpolating solution nearest to w_0.
  double flow_distance(double t) const;

  const Tensor& eigenvalues() const { return eigenvalues_; }  // (n) ascending, never below 0
  double lambda_min() const;
  double lambda_max() const;

 private:
  Tensor combine(const Tensor& factors) const;
  Tensor elsewhere(const Tensor& factors, const Tensor& cross, const Tensor& initial) const;

  std::vector<int64_t> shape_;
  Tensor eigenvalues_;  // (n)
  Tensor vectors_;      // (n, n)
  Tensor coordinates_;  // (n, c): of y - f_0 among the eigenvectors
};

/// The step sizes at which descent on a constant kernel changes its nature, in units of gamma.
struct CriticalSteps {
  double fastest = 0;  // 2/(lambda_min + lambda_max): eta_critical of Lee et al. 2019, Thm 2.1
  double largest = 0;  // 2/lambda_max: descent diverges beyond
};
CriticalSteps critical_steps(double lambda_min, double lambda_max);

/// ||r_k|| at the steps given = that of descent on the constant kernel, to `relative_tolerance`: the claim
/// that training is linearized. Assumes gamma <= 2/lambda_max.
PredictedSeries linearized_residual(const KernelDynamics& dynamics, double gamma,
                                    const std::vector<int64_t>& steps, double relative_tolerance);

/// ||r_k|| <= (1 - gamma lambda_min)^k ||r_0||, the contraction of the slides. Assumes lambda_min > 0 and
/// gamma <= 2/(lambda_min + lambda_max), where lambda_min is the slowest mode. Reached by a residual along
/// its eigenvector.
PredictedSeries residual_contraction(double lambda_min, double lambda_max, double initial_residual,
                                     double gamma, const std::vector<int64_t>& steps);

}  // namespace plumb::theory
