/// Tangent kernels held against vector-Jacobian products that LibTorch's own backward formulas give.
#pragma once

#include <vector>

#include "plumb/analysis/kernel_term.hpp"
#include "plumb/analysis/network_function.hpp"

namespace plumb {

enum class KernelCheck {
  none,      // for a network whose kernels were checked before, at other weights
  in_turn,   // all parameters the first time that a function's kernel is computed in some way, and always
             // for more than 512 rows or several blocks; otherwise one parameter, or a weight with its bias,
             // the next one in every kernel, whose part of it is formed beside the sum
  complete,  // all parameters every time
};

/// The identity u' G v = <J' u, J~' v> for random signs u, v, in the kernel G = J J~' of some parameters. For
/// a trace over outputs it is sum_k <J_k' u, J~_k' v> on a few examples, since it takes a backward pass per
/// output. v = u when `left` and `right` are the same tensor. (Freivalds 1979 checks products of matrices
/// so.)
class KernelIdentity {
 public:
  /// `parameters`: of function.parameters(), by index. `draw` numbers the signs.
  KernelIdentity(const NetworkFunction& function, const Tensor& left, const Tensor& right,
                 KernelOutputs outputs, int64_t c, const std::vector<int64_t>& parameters, uint64_t draw);

  /// |u' G v - <J' u, J~' v>|, relative to what random signs give on average, or to |J' u| |J~' v| where
  /// these signs gave more: where G is of low rank they can cancel. `examples` go through the network at a
  /// time; `predictions`: of all of left, with their graph, or undefined.
  double error(const Tensor& kernel, int64_t examples, const Tensor& predictions) const;

 private:
  /// Rows or columns of G that are looked at.
  struct Side {
    Tensor inputs;
    Tensor chosen;  // which examples these are; undefined: all
    Tensor signs;   // float64
  };
  Side draw_side(const Tensor& inputs, at::Generator& generator) const;
  std::vector<Tensor> pulled_back(const Tensor& inputs, const Tensor& cotangents, int64_t examples,
                                  const Tensor& predictions = {}) const;

  const NetworkFunction& function_;
  KernelOutputs outputs_;
  int64_t c_;
  bool symmetric_;
  std::vector<Tensor> weights_;
  Side left_, right_;
};

/// The largest error of the identity that rounding explains in a network of this dtype.
double allowed_kernel_error(at::ScalarType dtype);

}  // namespace plumb
