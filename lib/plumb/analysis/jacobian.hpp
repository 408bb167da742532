/// The Jacobian J of a network's predictions on a batch with respect to its parameters, (n c, p), as an
/// operator and dense.
#pragma once

#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/analysis/linear_operator.hpp"
#include "plumb/analysis/network_function.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// J(w) with row i c + k = dh_k(x_i)/dw and the parameters' entries, flattened one after the other, as
/// columns. Nothing is formed until asked for; products use the weights that the network has at the time.
/// GramOperator(jacobian, GramSide::rows) is the tangent kernel of a batch too large for its matrix.
class Jacobian final : public LinearOperator {
 public:
  /// `batch` examples are taken at a time. Throws ContractError as NetworkFunction::check does.
  Jacobian(NetworkFunction function, Tensor inputs, int64_t batch = 256);

  int64_t rows() const override { return inputs_.size(0) * outputs_; }      // n c
  int64_t columns() const override { return function_.parameter_count(); }  // p
  int64_t outputs() const { return outputs_; }                              // c
  at::TensorOptions options() const override;

  /// J v: (p) -> (n c), or (p, m) -> (n c, m) column by column; in forward mode where every operation
  /// supports it.
  Tensor apply(const Tensor& v) const override;
  /// J' u: (n c) -> (p), or (n c, m) -> (p, m); one backward pass per column.
  Tensor apply_transposed(const Tensor& u) const override;
  /// (n c, p), by per-sample gradients; parameters whose use is not recognised by backward passes. Checked
  /// against one random vector-Jacobian product; where that fails, outputs go through backward one by one,
  /// then every row does. Throws Error when no route passes.
  Tensor dense() const;

  const NetworkFunction& function() const { return function_; }
  const Tensor& inputs() const { return inputs_; }

 private:
  Tensor column_product(const Tensor& v) const;
  Tensor row_product(const Tensor& u) const;
  Tensor dense_by(KernelRoute route, bool batching) const;

  NetworkFunction function_;
  Tensor inputs_;
  int64_t batch_;
  int64_t outputs_;
};

}  // namespace plumb
