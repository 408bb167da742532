#include "plumb/analysis/conjugate_gradient.hpp"

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// x_i^T y_i of each pair of columns, (b) float64.
Tensor column_products(const Tensor& x, const Tensor& y) { return (x.to(at::kDouble) * y).sum(0); }

Tensor column_quotients(const Tensor& numerator, const Tensor& denominator, const Tensor& where) {
  return at::where(where, numerator / denominator, at::zeros_like(numerator));
}

/// One run of the recurrence from the solution so far.
class GradientSearch {
 public:
  GradientSearch(const SymmetricOperator& a, const ConjugateGradientOptions& options, const Tensor& b,
                 double tolerance)
      : a_(a), options_(options), b_(b), goal_(column_products(b, b).sqrt() * tolerance) {
    result_.solution = at::zeros_like(b);
    stopped_ = at::zeros_like(goal_, goal_.options().dtype(at::kBool));
  }

  /// Until the recurrence's residual reaches the goal in each column or the iterations are spent.
  void run() {
    Tensor r = true_residual();
    Tensor z = preconditioned(r);
    Tensor p = z;
    Tensor rho = column_products(r, z);
    while (result_.iterations < options_.iterations) {
      const Tensor active = column_products(r, r).sqrt().gt(goal_).logical_and(~stopped_);
      if (!active.any().item<bool>()) return;
      const Tensor ap = product(p);
      const Tensor curvature = column_products(p, ap);
      stopped_ = stopped_.logical_or(active.logical_and(curvature <= 0));
      const Tensor moving = active.logical_and(~stopped_);
      const Tensor step = column_quotients(rho, curvature, moving).to(b_.scalar_type());
      result_.solution = result_.solution + p * step;
      r = r - ap * step;
      z = preconditioned(r);
      const Tensor next = column_products(r, z);
      p = z + p * column_quotients(next, rho, moving).to(b_.scalar_type());
      rho = next;
      ++result_.iterations;
    }
  }

  SolveResult& result() { return result_; }
  bool spent() const { return result_.iterations >= options_.iterations; }

  /// b - A x of the solution so far.
  Tensor true_residual() { return b_ - product(result_.solution); }

  bool finished(const Tensor& residual) const {
    return column_products(residual, residual).sqrt().le(goal_).logical_or(stopped_).all().item<bool>();
  }

  SolveResult conclude(const Tensor& residual) {
    const Tensor norms = column_products(residual, residual).sqrt();
    const Tensor scale = column_products(b_, b_).sqrt();
    result_.converged = (norms <= goal_).all().item<bool>();
    result_.indefinite = stopped_.any().item<bool>();
    result_.residuals = column_quotients(norms, scale, scale > 0).to(at::kCPU);
    return result_;
  }

 private:
  Tensor product(const Tensor& x) {
    result_.products += x.size(1);
    Tensor y = a_.apply(x).detach();
    expects(at::isfinite(y).all().item<bool>(),
            "conjugate gradient: the product of iteration {} with the operator is not finite",
            result_.iterations);
    return y;
  }

  Tensor preconditioned(const Tensor& r) const {
    return options_.preconditioner ? options_.preconditioner(r).detach() : r;
  }

  const SymmetricOperator& a_;
  const ConjugateGradientOptions& options_;
  Tensor b_;
  Tensor goal_;     // (b) the residual norm to reach
  Tensor stopped_;  // (b) columns that met a direction without positive curvature
  SolveResult result_;
};

}  // namespace

SolveResult conjugate_gradient(const SymmetricOperator& a, const Tensor& b,
                               const ConjugateGradientOptions& options) {
  expects(b.defined() && b.dim() == 2 && b.size(0) == a.size() && b.size(1) > 0,
          "conjugate gradient: a right-hand side of {} rows; a block of shape ({}, b) is expected",
          b.defined() && b.dim() == 2 ? b.size(0) : -1, a.size());
  expects(at::isfinite(b).all().item<bool>(), "conjugate gradient: a right-hand side that is not finite");
  const Tensor right = b.detach().to(a.options());
  const double tolerance = options.tolerance > 0               ? options.tolerance
                           : right.scalar_type() == at::kFloat ? 1e-5
                                                               : 1e-10;
  GradientSearch search(a, options, right, tolerance);
  // A few rounds: rounding lets the recurrence run ahead of the truth, and a fresh start from the truth mends
  // it.
  constexpr int rounds = 5;
  Tensor residual;
  for (int round = 0; round < rounds; ++round) {
    search.run();
    residual = search.true_residual();
    if (search.spent() || search.finished(residual)) break;
  }
  return search.conclude(residual);
}

}  // namespace plumb
