/// The Jacobian J of a network's predictions on a batch with respect to its parameters, (n c, p), as an
/// operator and dense.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/analysis/kernel_attempts.hpp"
#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/analysis/linear_operator.hpp"
#include "plumb/analysis/network_function.hpp"
#include "plumb/autograd/forward_derivative.hpp"
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

  /// J v: (p) -> (n c), or (p, m) -> (n c, m) column by column. In forward mode, where that is the transposed
  /// of J' u: before the first product, <u, J v> is held against <J' u, v> for random u and v, in which every
  /// parameter weighs about the same. Where they differ (a part of forward without gradients, hooks that
  /// change gradients, rows of an embedding that get none) or forward mode fails, by differentiating J' u,
  /// held against it in turn. Throws Error, naming parameters, when no way agrees, or when J v is not finite.
  Tensor apply(const Tensor& v) const override;
  /// J' u: (n c) -> (p), or (n c, m) -> (p, m); one backward pass per column: what training's gradients are
  /// made of. Before the first product it is computed from other batches, too; where that makes a difference
  /// (gradients that an embedding scales by how often a token is in the batch), examples are taken one by one
  /// from then on. Throws Error when it is not finite.
  Tensor apply_transposed(const Tensor& u) const override;
  /// (n c, p), by per-sample gradients; parameters whose use is not recognised by backward passes. Every
  /// block is held against a random vector-Jacobian product, parameter by parameter; what fails goes by rows.
  Tensor dense() const;

  const NetworkFunction& function() const { return function_; }
  const Tensor& inputs() const { return inputs_; }
  /// Parameters that no gradient reaches, and why their columns are 0.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Tensor block(int64_t begin) const;  // of inputs
  Tensor column_product(const Tensor& v, autograd::JvpRoute route) const;
  Tensor row_product(const Tensor& u, int64_t batch) const;
  /// Finds out, once, how products are computed.
  void settle() const;
  /// Whether two ways of computing J' u gave the same but for rounding, parameter by parameter.
  bool agree(const Tensor& one, const Tensor& other) const;
  bool few_examples() const { return inputs_.size(0) <= 16; }
  Tensor dense_by(const KernelAttempt& attempt) const;
  autograd::JvpRoute agreeing_route() const;
  /// The first parameter whose part of J v disagrees with J' u.
  /// u and J' u.
  struct TransposedProduct {
    Tensor u, pulled_back;
  };
  /// |<u, J v> - <J' u, v>| relative to the sizes of what is multiplied; infinite for NaN.
  double disagreement(const TransposedProduct& test, const Tensor& v, const Tensor& product) const;
  std::string disagreeing_parameter(const Tensor& u, const Tensor& pulled_back, const Tensor& v,
                                    autograd::JvpRoute route) const;

  NetworkFunction function_;
  Tensor inputs_;
  mutable int64_t batch_;
  int64_t outputs_ = 0;
  std::vector<std::string> notes_;
  bool hides_operators_ = false;  // whether forward runs some without recording gradients
  mutable bool settled_ = false;
  mutable std::optional<TransposedProduct> pulled_back_;  // of the checks
  mutable std::optional<autograd::JvpRoute> route_;       // once one was found to agree
};

}  // namespace plumb
