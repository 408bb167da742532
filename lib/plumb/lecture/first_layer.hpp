/// A two-layer network as a function of its first layer alone, with outputs, Jacobian and tangent kernel in
/// closed form.
#pragma once

#include "plumb/core/tensor.hpp"
#include "plumb/models/activation.hpp"

namespace plumb {

/// f_i(W) = (1/sqrt m) sum_r a_r phi(w_r.x_i) on n fixed examples, a fixed; J is its Jacobian with respect to
/// W (m, d). Everything is float64. With L = 1/2 ||f - y||^2 this is the setting of Du, Zhai, Poczos and
/// Singh (ICLR 2019).
class FirstLayer {
 public:
  /// `inputs`: (n, d), `output_weights`: (m). phi is relu, tanh or softplus. Throws ContractError for
  /// anything else.
  FirstLayer(Tensor inputs, Tensor output_weights, Activation activation);

  /// What one W gives: enough for every product with its Jacobian.
  struct Point {
    Tensor outputs;  // (n): f
    Tensor slopes;   // (n, m): phi'(w_r.x_i); for relu 1 where w_r.x_i >= 0, else 0
  };
  Point at(const Tensor& weights) const;

  /// J v = (1/sqrt m) sum_r a_r phi'(w_r.x_i) v_r.x_i for v (m, d); (n).
  Tensor apply(const Tensor& slopes, const Tensor& directions) const;
  /// J^T u = (a_r/sqrt m) sum_i u_i phi'(w_r.x_i) x_i for u (n); (m, d).
  Tensor apply_transposed(const Tensor& slopes, const Tensor& examples) const;
  /// G = J J^T: x_i.x_j (1/m) sum_r a_r^2 phi'(w_r.x_i) phi'(w_r.x_j); (n, n).
  Tensor kernel(const Tensor& slopes) const;

  const Tensor& inputs() const { return inputs_; }
  int64_t width() const { return output_weights_.size(0); }

 private:
  Tensor inputs_;
  Tensor output_weights_;  // (m): a/sqrt m
  Tensor gram_;            // (n, n): X X^T
  Activation activation_;
};

}  // namespace plumb
