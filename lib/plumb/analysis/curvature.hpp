/// Second derivatives of a training loss in the parameters, as operators: Hessian, Gauss-Newton and Fisher.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/objective/loss.hpp"

namespace plumb {

/// L(w) = reduction over examples of l(f(w, x_i), y_i) at the present values of w.
struct LossOverExamples {
  /// Inputs (b, ...) -> outputs (b, c); must treat each example for itself, that is, be in evaluation mode.
  std::function<Tensor(const Tensor&)> forward;
  /// The tensors that make up w, in this order, each read row by row; all of one floating dtype and device,
  /// requiring gradients.
  std::vector<Tensor> parameters;
  Tensor inputs;   // (n, ...)
  Tensor targets;  // (n) or (n, c), of a kind that the loss takes
  Loss loss;
  /// Examples taken at a time: memory grows with it, the result does not depend on it but for rounding.
  int64_t chunk = 256;
};

/// What the three operators share: w as one vector (p), and products summed over chunks of examples in
/// float64. The gradients stored with the parameters are not touched, and autograd may be switched off where
/// apply is called. A parameter that the outputs do not depend on has zeros.
class CurvatureOperator : public SymmetricOperator {
 public:
  int64_t size() const override { return size_; }
  at::TensorOptions options() const override { return data_.parameters.front().options(); }

  /// A X, (p, b) -> (p, b): one pass over the examples, in which each column costs a product of its own.
  Tensor apply(const Tensor& x) const override;

 protected:
  /// Throws ContractError where the description does not fit together.
  explicit CurvatureOperator(LossOverExamples data);

  /// The products (b) of one chunk with the columns of X, each a list in the order of the parameters, where
  /// an undefined tensor stands for zeros; the sum over examples, not reduced.
  virtual std::vector<std::vector<Tensor>> chunk_products(
      const Tensor& inputs, const Tensor& targets, const std::vector<std::vector<Tensor>>& columns) const = 0;

  const LossOverExamples& data() const { return data_; }

 private:
  /// A vector (p) as tensors of the parameters' shapes.
  std::vector<Tensor> split(const Tensor& vector) const;

  /// Adds such tensors to the vector `sum` (p).
  void add_parts(Tensor sum, const std::vector<Tensor>& parts) const;

  LossOverExamples data_;
  int64_t size_ = 0;
};

/// The Hessian of L, by differentiating the gradient (Pearlmutter 1994). Its largest eigenvalue is the
/// sharpness.
class HessianOperator : public CurvatureOperator {
 public:
  explicit HessianOperator(LossOverExamples data) : CurvatureOperator(std::move(data)) {}

 protected:
  std::vector<std::vector<Tensor>> chunk_products(
      const Tensor& inputs, const Tensor& targets,
      const std::vector<std::vector<Tensor>>& columns) const override;
};

/// The maps J^T M J with J the outputs' Jacobian and M, block diagonal by example, from the loss.
class OutputCurvatureOperator : public CurvatureOperator {
 protected:
  using CurvatureOperator::CurvatureOperator;

  std::vector<std::vector<Tensor>> chunk_products(
      const Tensor& inputs, const Tensor& targets,
      const std::vector<std::vector<Tensor>>& columns) const override;

  /// The map U -> M U for changes U (b, c) of the outputs (b, c), which come detached.
  virtual BlockFunction output_curvature(const Tensor& outputs, const Tensor& targets) const = 0;
};

/// The generalized Gauss-Newton matrix: M is the Hessian of l in the outputs (Schraudolph 2002). For the
/// square loss it is 2 factor J^T J, reduced.
class GaussNewtonOperator : public OutputCurvatureOperator {
 public:
  explicit GaussNewtonOperator(LossOverExamples data) : OutputCurvatureOperator(std::move(data)) {}

 protected:
  BlockFunction output_curvature(const Tensor& outputs, const Tensor& targets) const override;
};

/// Whose labels the Fisher matrix takes its expectation over.
enum class FisherLabels {
  model,  // y drawn from softmax(f(w, x)): the Fisher matrix; for the cross-entropy it equals Gauss-Newton
  given,  // the targets of the data: the "empirical Fisher", the second moment of per-example gradients
};

/// The reduction over examples of E_y [g g^T], g the gradient of l(f(w, x_i), y) in w. The expectation over
/// the model's labels is exact, by c gradients in the outputs. Throws ContractError for them where the
/// targets are real numbers: a network's outputs are no distribution of those.
class FisherOperator : public OutputCurvatureOperator {
 public:
  explicit FisherOperator(LossOverExamples data, FisherLabels labels = FisherLabels::model)
      : OutputCurvatureOperator(std::move(data)), labels_(labels) {}

 protected:
  BlockFunction output_curvature(const Tensor& outputs, const Tensor& targets) const override;

 private:
  FisherLabels labels_;
};

}  // namespace plumb
