/// Gradient descent on 1/2 ||f(w) - y||^2 near its start: the short path of Oymak and Soltanolkotabi, and the
/// PL* condition of Liu, Zhu and Belkin.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/theory/prediction.hpp"

namespace plumb::theory {

/// What bounds the Jacobian J (n, p) of f on a ball around w_0. The loss is 1/2 ||f - y||^2 throughout.
struct LocalJacobian {
  double alpha = 0;             // sigma_min(J) >= alpha
  double beta = 0;              // ||J|| <= beta
  double lipschitz = 0;         // ||J(w) - J(w')|| <= lipschitz ||w - w'||
  double initial_residual = 0;  // ||f(w_0) - y||
  double step = 0;              // eta
  /// What the run saw of the first two: the least sigma_min(J) and the largest ||J|| at the recorded places.
  /// By default nothing was measured.
  double observed_smallest = std::numeric_limits<double>::infinity();
  double observed_norm = 0;
};

/// eta <= 1/(2 beta^2) min(1, alpha^2/(lipschitz ||f(w_0) - y||)): the longest step of theirs.
double short_path_step(const LocalJacobian& local);

/// R = 4 ||f(w_0) - y||/alpha, the radius of the ball on which the bounds must hold.
double short_path_radius(const LocalJacobian& local);

/// The inequalities (1) to (3) of Oymak and Soltanolkotabi 2019 (Overparameterized nonlinear learning),
/// sec. 2. In short, why they hold: with g = ||J^T r|| and the step above, ||r+|| <= ||r|| - eta g^2/(2
/// ||r||) (smoothness of f; eta beta^2 <= 1/2), and g >= alpha ||r||, so that each step shortens the residual
/// by alpha/2 times its own length or more. That is twice what (2) and (3) state.
///
/// (1) ||f(w_t) - y||^2 <= (1 - eta alpha^2/2)^t ||f(w_0) - y||^2
PredictedSeries short_path_loss(const LocalJacobian& local, const std::vector<int64_t>& steps);
/// (2) alpha/4 ||w_t - w_0|| + ||f(w_t) - y|| <= ||f(w_0) - y||; equality at t = 0
PredictedSeries short_path_trade(const LocalJacobian& local, size_t places);
/// (3) sum_t ||w_{t+1} - w_t|| <= 4 ||f(w_0) - y||/alpha
Prediction short_path_length(const LocalJacobian& local);
/// Any w* with f(w*) = y has ||w* - w_0|| >= ||f(w_0) - y||/beta. Reached by a linear f whose residual lies
/// along the largest singular vector.
Prediction distance_to_solutions(const LocalJacobian& local);
/// ||w_end - w_0|| <= 4 beta/alpha times the distance of the nearest solution, `nearest`.
Prediction near_nearest_solution(const LocalJacobian& local, double nearest);

/// sqrt(r_0^T G^+ r_0): how far the nearest solution of the linearized model is, the displacement expected of
/// a lazy run; G = J J^T (n, n) and r_0 (n) float64. Eigenvalues below n 2^-52 lambda_max are left out.
double least_displacement(const Tensor& gram, const Tensor& residual);

/// ||w_T - w_0|| <= path length: displacement/path is 1 for a straight path. Judged with the run's own path.
Prediction straightness(double path_length);

/// f(x) = (1/sqrt m) sum_r a_r phi(w_r.x) with |phi'| <= slope and |phi''| <= curvature; W (m, d) is trained.
struct HiddenLayerBounds {
  double norm = 0;       // ||J|| <= slope max |a| ||X||
  double lipschitz = 0;  // of J: curvature max |a| max ||x_i|| ||X||/sqrt m
};
/// `inputs`: (n, d) float64; `largest_output`: max |a_r|.
HiddenLayerBounds hidden_layer_bounds(const Tensor& inputs, int64_t width, double largest_output,
                                      double slope, double curvature);

/// The PL* condition on the ball B(w_0, R): lambda_min(J J^T) >= mu there, so that 1/2 ||grad L||^2 >= mu L.
struct PlStar {
  double mu = 0;
  double lipschitz = 0;         // L_F >= ||J|| on the ball
  double smoothness = 0;        // beta_F, the Lipschitz constant of J
  double initial_residual = 0;  // ||F(w_0) - y||
  double step = 0;
  /// The least lambda_min(J J^T) seen on the run; infinity where nothing was measured.
  double observed_smallest = std::numeric_limits<double>::infinity();
};

/// R = 2 L_F ||F(w_0) - y||/mu.
double pl_star_radius(const PlStar& problem);

/// 1/(L_F^2 + beta_F ||F(w_0) - y||), the longest step.
double pl_star_step(const PlStar& problem);

/// L(w_t) <= (1 - eta mu)^t L(w_0) (Liu, Zhu, Belkin 2022), L = 1/2 ||F - y||^2, because L is
/// (L_F^2 + beta_F ||r||)-smooth and ||grad L||^2 >= 2 mu L. For a linear F with mu = L_F^2 the truth is
/// (1 - eta mu)^(2 t): equal at eta = 1/mu, half the exponent otherwise.
PredictedSeries pl_star_loss(const PlStar& problem, const std::vector<int64_t>& steps);

/// max_t ||w_t - w_0|| <= R. The path is in fact no longer than 2 ||F(w_0) - y||/sqrt(mu), which is
/// less.
Prediction pl_star_distance(const PlStar& problem);
Prediction pl_star_path(const PlStar& problem);

/// (lambda_0 - mu)/(2 L_F sqrt(n) R): a Hessian norm max_i ||H_{F_i}|| up to this on the ball keeps
/// lambda_min(J J^T) >= mu there, when it is lambda_0 at w_0 (Liu, Zhu, Belkin 2022).
double allowed_hessian_norm(const PlStar& problem, double lambda0, int64_t n);

/// lambda_min(J J^T) >= mu on the ball, given the Hessian norm `hessian_norm` there.
Prediction kernel_stays_conditioned(const PlStar& problem, double lambda0, int64_t n, double hessian_norm);

/// ||H_{F_i}|| = max_r |a_r phi''(w_r.x_i)| ||x_i||^2/sqrt m exactly, the largest over the examples, for the
/// network above: its Hessian is block diagonal. `second_derivatives`: (n, m) of phi''(w_r.x_i),
/// `output_weights`: (m).
Prediction hidden_layer_hessian_norm(const Tensor& inputs, const Tensor& second_derivatives,
                                     const Tensor& output_weights);

/// E log kappa(J J^T) < 2 log(p/(p - n + 1)) + 5 for J (n, p) of independent standard normals, p >= n (Liu,
/// Zhu, Belkin 2022; Chen and Dongarra 2005). kappa = lambda_max/lambda_min. Throws ContractError for p < n.
Prediction gaussian_conditioning(int64_t n, int64_t p);

}  // namespace plumb::theory
