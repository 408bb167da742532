#include "plumb/theory/kernel_dynamics.hpp"

#include <cmath>
#include <tuple>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

Tensor as_columns(const Tensor& values) { return values.dim() == 1 ? values.unsqueeze(1) : values; }

/// 1 - exp(-lambda t), and 1 at t = infinity unless lambda is 0.
Tensor flow_progress(const Tensor& eigenvalues, double t) {
  if (std::isinf(t)) return (eigenvalues > 0).to(torch::kDouble);
  return -torch::expm1(-eigenvalues * t);
}

/// 1 - (1 - gamma lambda)^k, without cancellation where gamma lambda is small.
Tensor descent_progress(const Tensor& eigenvalues, double gamma, int64_t k) {
  const auto count = static_cast<double>(k);
  const Tensor x = gamma * eigenvalues;
  const Tensor gentle = -torch::expm1(count * torch::log1p(-x.clamp(-0.5, 0.5)));
  return torch::where(x.abs() <= 0.5, gentle, 1 - torch::pow(1 - x, count));
}

/// progress/lambda, and 0 at lambda = 0: where G v = 0, a kernel that is semidefinite on all examples
/// together has G(x, X) v = 0 too, so that v's coordinate moves nothing anywhere.
Tensor per_eigenvalue(const Tensor& progress, const Tensor& eigenvalues) {
  return torch::where(eigenvalues > 0, progress / eigenvalues, torch::zeros_like(eigenvalues));
}

void expects_time(double t) { expects(t >= 0, "time: {}; at least 0 is expected", t); }

void expects_steps(int64_t k) { expects(k >= 0, "step: {}; at least 0 is expected", k); }

}  // namespace

KernelDynamics::KernelDynamics(const Tensor& kernel, const Tensor& initial, const Tensor& targets)
    : shape_(targets.sizes().vec()) {
  expects(kernel.dim() == 2 && kernel.size(0) == kernel.size(1) && kernel.size(0) > 0 &&
              kernel.scalar_type() == torch::kDouble,
          "kernel: not a square float64 matrix; (n, n) in float64 is expected");
  const int64_t n = kernel.size(0);
  expects(
      targets.sizes() == initial.sizes() && targets.dim() <= 2 && targets.dim() >= 1 && targets.size(0) == n,
      "targets of {} and initial outputs of {} for {} examples: not one row an example",
      targets.dim() > 0 ? targets.size(0) : 0, initial.dim() > 0 ? initial.size(0) : 0, n);
  const double largest = kernel.abs().max().item<double>();
  const double apart = (kernel - kernel.t()).abs().max().item<double>();
  expects(
      apart <= 1e-8 * largest && std::isfinite(largest),
      "kernel: differs from its transpose by {:.3g}, largest entry {:.3g}; a symmetric matrix is expected",
      apart, largest);
  std::tie(eigenvalues_, vectors_) = at::linalg_eigh((kernel + kernel.t()) / 2);
  const double low = eigenvalues_[0].item<double>();
  const double high = eigenvalues_[n - 1].item<double>();
  expects(low >= -1e-8 * std::abs(high),
          "kernel: eigenvalues from {:.3g} to {:.3g}; none below 0 is expected", low, high);
  const double rounding = static_cast<double>(n) * std::ldexp(1, -52) * high;
  eigenvalues_ = torch::where(eigenvalues_ > rounding, eigenvalues_, torch::zeros_like(eigenvalues_));
  coordinates_ = at::mm(vectors_.t(), as_columns(targets - initial).to(torch::kDouble));
}

Tensor KernelDynamics::combine(const Tensor& factors) const {
  return at::mm(vectors_, factors.unsqueeze(1) * coordinates_).reshape(shape_);
}

Tensor KernelDynamics::elsewhere(const Tensor& factors, const Tensor& cross, const Tensor& initial) const {
  expects(cross.dim() == 2 && cross.size(1) == vectors_.size(0),
          "cross kernel: {} columns for {} training examples; (n', n) is expected",
          cross.dim() == 2 ? cross.size(1) : 0, vectors_.size(0));
  const Tensor change = at::mm(cross, at::mm(vectors_, factors.unsqueeze(1) * coordinates_));
  expects(initial.numel() == change.numel(), "initial outputs: {} numbers; {} x {} are expected",
          initial.numel(), change.size(0), change.size(1));
  return initial + change.reshape(initial.sizes());
}

Tensor KernelDynamics::flow_residual(double t) const {
  expects_time(t);
  if (std::isinf(t)) return combine((eigenvalues_ == 0).to(torch::kDouble));
  return combine(torch::exp(-eigenvalues_ * t));
}

Tensor KernelDynamics::descent_residual(double gamma, int64_t k) const {
  expects_steps(k);
  return combine(torch::pow(1 - gamma * eigenvalues_, static_cast<double>(k)));
}

Tensor KernelDynamics::flow_outputs(double t, const Tensor& cross, const Tensor& initial) const {
  expects_time(t);
  return elsewhere(per_eigenvalue(flow_progress(eigenvalues_, t), eigenvalues_), cross, initial);
}

Tensor KernelDynamics::descent_outputs(double gamma, int64_t k, const Tensor& cross,
                                       const Tensor& initial) const {
  expects_steps(k);
  const Tensor progress = descent_progress(eigenvalues_, gamma, k);
  return elsewhere(per_eigenvalue(progress, eigenvalues_), cross, initial);
}

double KernelDynamics::flow_distance(double t) const {
  expects_time(t);
  const Tensor weights = per_eigenvalue(flow_progress(eigenvalues_, t).square(), eigenvalues_);
  return std::sqrt((weights.unsqueeze(1) * coordinates_.square()).sum().item<double>());
}

double KernelDynamics::lambda_min() const { return eigenvalues_[0].item<double>(); }

double KernelDynamics::lambda_max() const { return eigenvalues_[eigenvalues_.size(0) - 1].item<double>(); }

CriticalSteps critical_steps(double lambda_min, double lambda_max) {
  return {2 / (lambda_min + lambda_max), 2 / lambda_max};
}

PredictedSeries linearized_residual(const KernelDynamics& dynamics, double gamma,
                                    const std::vector<int64_t>& steps, double relative_tolerance) {
  PredictedSeries series = predicted_series("||y - f(w_k)||", Relation::equal, "Lee et al. 2019, eq. 8-10");
  series.relative_tolerance = relative_tolerance;
  series.assumptions.push_back(requires_at_most("descent is stable: gamma <= 2/lambda_max", gamma,
                                                critical_steps(0, dynamics.lambda_max()).largest));
  for (const int64_t k : steps)
    series.values.push_back(dynamics.descent_residual(gamma, k).norm().item<double>());
  return series;
}

PredictedSeries residual_contraction(double lambda_min, double lambda_max, double initial_residual,
                                     double gamma, const std::vector<int64_t>& steps) {
  PredictedSeries series =
      predicted_series("||y - f(w_k)||", Relation::at_most, "slides; the slowest mode of I - gamma G");
  series.assumptions.push_back(requires_positive("the kernel is definite: lambda_min > 0", lambda_min));
  series.assumptions.push_back(
      requires_at_most("the smallest eigenvalue is the slowest mode: gamma <= "
                       "2/(lambda_min + lambda_max)",
                       gamma, critical_steps(lambda_min, lambda_max).fastest));
  for (const int64_t k : steps)
    series.values.push_back(std::pow(1 - gamma * lambda_min, static_cast<double>(k)) * initial_residual);
  return series;
}

}  // namespace plumb::theory
