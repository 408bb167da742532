#include "plumb/theory/dual_activation.hpp"

#include <cmath>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

/// Correlations this near to +-1 cannot be told from them: what rounding leaves of the inner products of two
/// copies of an input. Its angle, 6e-8, would look like a positive eigenvalue of a singular kernel.
constexpr double indistinct = 0x1p-49;

/// q12 / sqrt(q11 q22) in [-1, 1]; 0 where a variance is 0.
Tensor correlation(const Tensor& q11, const Tensor& q12, const Tensor& q22) {
  const Tensor scale = (q11 * q22).sqrt();
  const Tensor rho = torch::where(scale > 0, q12 / scale, torch::zeros_like(scale));
  return torch::where(rho.abs() >= 1 - indistinct, rho.sign(), rho);
}

/// The angle arccos rho, accurate at both ends.
Tensor angle_of(const Tensor& rho) { return torch::atan2(((1 - rho) * (1 + rho)).sqrt(), rho); }

DualActivation piecewise_linear_dual(double slope, const Tensor& q11, const Tensor& q12, const Tensor& q22) {
  // sigma(z) = (1+s)/2 z + (1-s)/2 |z|, and z |z'| has mean 0, so that only E |u||v| needs an integral.
  const double kink = (1 - slope) * (1 - slope) / (2 * M_PI);
  const double square = (1 + slope * slope) / 2;
  const Tensor rho = correlation(q11, q12, q22);
  const Tensor derivative = square - kink * angle_of(rho);
  const Tensor unit_value = kink * ((1 - rho) * (1 + rho)).sqrt() + rho * derivative;
  return {(q11 * q22).sqrt() * unit_value, derivative};
}

DualActivation erf_dual(const Tensor& q11, const Tensor& q12, const Tensor& q22) {
  const Tensor product = (1 + 2 * q11) * (1 + 2 * q22);
  return {2 / M_PI * torch::asin((2 * q12 / product.sqrt()).clamp(-1, 1)),
          4 / M_PI / (product - 4 * q12 * q12).sqrt()};
}

/// With Z1, Z2 independent standard normals, a = 1 + q11, b = 1 + q22 and D = a b - q12^2, Phi(u) = P(Z1 <= u
/// | u) makes
///   A = E Phi(u) Phi(v) = P(u - Z1 >= 0, v - Z2 >= 0) = 1/4 + arcsin(q12/sqrt(a b))/(2 pi),
///   P = E phi(u) phi(v) = the density of (u - Z1, v - Z2) at 0 = 1/(2 pi sqrt(D)).
/// Stein's lemma, E u g = q11 E dg/du + q12 E dg/dv, applied to u until none is left, gives
///   E u phi(u) Phi(v) = q12 P/a,   E u v phi(u) phi(v) = q12 P/D,
///   E u v Phi(u) Phi(v) = q12 A + P (q11 q22 - q12^2 + q12^2/a + q12^2/b),
/// and sigma'(u) = Phi(u) + u phi(u) the derivative's.
DualActivation gelu_dual(const Tensor& q11, const Tensor& q12, const Tensor& q22) {
  const Tensor a = 1 + q11;
  const Tensor b = 1 + q22;
  const Tensor determinant = a * b - q12 * q12;
  const Tensor orthant = 0.25 + torch::asin((q12 / (a * b).sqrt()).clamp(-1, 1)) / (2 * M_PI);
  const Tensor density = 1 / (2 * M_PI * determinant.sqrt());
  const Tensor inverses = 1 / a + 1 / b;
  return {q12 * orthant + density * (q11 * q22 - q12 * q12 + q12 * q12 * inverses),
          orthant + q12 * density * (inverses + 1 / determinant)};
}

void expects_covariance(const Tensor& q, const char* name, bool variance) {
  expects(q.defined() && q.scalar_type() == torch::kDouble, "dual activation: {} is not float64", name);
  expects(!variance || q.numel() == 0 || q.min().item<double>() >= 0,
          "dual activation: {} has the entry {}; a variance of at least 0 is expected", name,
          q.numel() == 0 ? 0.0 : q.min().item<double>());
}

}  // namespace

DualActivation dual_activation(const Nonlinearity& nonlinearity, const Tensor& q11, const Tensor& q12,
                               const Tensor& q22) {
  expects_covariance(q11, "q11", true);
  expects_covariance(q12, "q12", false);
  expects_covariance(q22, "q22", true);
  switch (nonlinearity.kind) {
    case Nonlinearity::Kind::linear:
      return {q12 + torch::zeros_like(q11 * q22), torch::ones_like(q11 * q12 * q22)};
    case Nonlinearity::Kind::relu:
      return piecewise_linear_dual(0, q11, q12, q22);
    case Nonlinearity::Kind::leaky_relu:
      return piecewise_linear_dual(nonlinearity.negative_slope, q11, q12, q22);
    case Nonlinearity::Kind::erf:
      return erf_dual(q11, q12, q22);
    case Nonlinearity::Kind::gelu:
      return gelu_dual(q11, q12, q22);
  }
  return {};
}

Tensor arc_cosine_0(const Tensor& rho) {
  const Tensor one = torch::ones({}, torch::kDouble);
  return dual_activation({Nonlinearity::Kind::relu}, one, rho, one).derivative;
}

Tensor arc_cosine_1(const Tensor& rho) {
  const Tensor one = torch::ones({}, torch::kDouble);
  return dual_activation({Nonlinearity::Kind::relu}, one, rho, one).value;
}

}  // namespace plumb::theory
