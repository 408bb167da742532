/// Expectations of an activation and of its derivative at two jointly Gaussian numbers, in closed form.
#pragma once

#include "plumb/core/tensor.hpp"

namespace plumb::theory {

/// An activation whose dual is known: sigma(z) = z, max(z, 0), max(z, 0) + s min(z, 0), erf(z), z Phi(z).
struct Nonlinearity {
  enum class Kind { linear, relu, leaky_relu, erf, gelu };
  Kind kind = Kind::relu;
  double negative_slope = 0.01;  // s, read for leaky_relu only
};

/// Of (u, v) normal with mean 0 and covariance (q11, q12; q12, q22), elementwise:
struct DualActivation {
  Tensor value;       // E sigma(u) sigma(v)
  Tensor derivative;  // E sigma'(u) sigma'(v)
};

/// The tensors are float64 and broadcast against each other; q11, q22 >= 0. A correlation within 2^-49 of -1
/// or 1, or beyond, is taken as that; where a variance is 0 it is taken as 0. Near +-1 the derivative of the
/// kinked activations moves with the square root of 1 - |rho|, so that it is accurate to about 1e-8 there and
/// no better. Throws ContractError for other dtypes and negative variances.
///
/// Sources: ReLU, Cho and Saul 2009; leaky ReLU from |z|, see the source; erf, Williams 1997, eq. 11; GELU,
/// Tsuchida et al. 2021 (derived anew in the source).
DualActivation dual_activation(const Nonlinearity& nonlinearity, const Tensor& q11, const Tensor& q12,
                               const Tensor& q22);

/// k_0(rho) = (pi - arccos rho)/(2 pi) = E 1[u >= 0] 1[v >= 0] for standard normals of correlation rho: half
/// of Cho and Saul's arc-cosine kernel of order 0. `rho` is float64, taken into [-1, 1].
Tensor arc_cosine_0(const Tensor& rho);

/// k_1(rho) = (sqrt(1 - rho^2) + rho (pi - arccos rho))/(2 pi) = E max(u, 0) max(v, 0): half of Cho and
/// Saul's kernel of order 1.
Tensor arc_cosine_1(const Tensor& rho);

}  // namespace plumb::theory
