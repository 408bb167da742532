/// S3, nonlinear least squares: the Jacobian of the predictions along gradient descent on ||f(w) - y||^2, the
/// PL inequality it gives, and the claims made of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"

namespace plumb {

/// The predictions f(w) (n) as a function of all parameters w (p), differentiable; float64.
using Predictions = std::function<Tensor(const Tensor&)>;

/// f(w) of one hidden layer of tanh units on `inputs` (n, d): w holds W (m, d) by rows, then v (m), and
/// f = v^T tanh(W x)/sqrt m.
Predictions tanh_predictions(const Tensor& inputs, int64_t width);

/// What is measured at one w, L = ||f(w) - y||^2.
struct LeastSquaresPoint {
  int64_t step = 0;
  double loss = 0;
  double gradient = 0;        // ||grad L||^2, by one backward pass of L
  double smallest = 0;        // lambda_min(J J^T) = sigma_n(J)^2; 0 for p < n
  theory::Bounds rank;        // of J: at_least, at_most
  double identity_error = 0;  // ||grad L - 2 J^T r||/||grad L||

  /// ||grad L||^2/L.
  double ratio() const { return gradient / loss; }
};
LeastSquaresPoint measure_point(const Predictions& predictions, const Tensor& w, const Tensor& targets);

/// Gradient descent with eta = 0.45/lambda_max(J J^T) at the start, recorded at growing distances while L is
/// more than 1e-20 of its start.
struct LeastSquaresRun {
  std::string place;
  int64_t n = 0, parameters = 0;
  std::vector<LeastSquaresPoint> points;
  Tensor end;  // w at the last point
};
LeastSquaresRun descend_predictions(std::string place, const Predictions& predictions, Tensor w,
                                    const Tensor& targets, int64_t steps);

/// The smallest eigenvalue of the Hessian of L at w.
double smallest_hessian_eigenvalue(const Predictions& predictions, const Tensor& w, const Tensor& targets);

struct LeastSquaresRuns {
  LeastSquaresRun wide;         // p >= n
  LeastSquaresPoint slowest;    // y = f(w_0) + v, v the eigenvector of lambda_min(J J^T)
  LeastSquaresRun narrow;       // p < n
  double narrow_curvature = 0;  // lambda_min of the Hessian at its end
};

std::vector<Claim> nonlinear_least_squares_claims(const LeastSquaresRuns& runs);

}  // namespace plumb
