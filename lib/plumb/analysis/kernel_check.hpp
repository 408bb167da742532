/// Tangent kernels held against vector-Jacobian products that LibTorch's own backward formulas give.
#pragma once

#include <vector>

#include "plumb/analysis/kernel_term.hpp"
#include "plumb/analysis/network_function.hpp"

namespace plumb {

/// How far a kernel is checked. That predictions are finite and not coupled is looked at in every call but
/// those without a check, that each example's cotangents are booked on it in every call.
enum class KernelCheck {
  none,     // for a network that is known not to couple examples: J_p' u as in_turn, the first time only
  in_turn,  // J_p' u of all parameters p the first time that a function's kernel is computed in some way, and
            // always for more than 512 rows or several blocks; otherwise of one parameter, or a weight with
            // its bias, the next one in every kernel
  complete,  // of all parameters every time
};

/// u' G v and <J' u, J~' v>, which are the same number for a kernel G = J J~' (Freivalds 1979 checks products
/// of matrices so).
struct KernelIdentity {
  double of_kernel = 0, of_gradients = 0;
  double size = 0;  // what rounding is relative to: |J' u| |J~' v|, or what random weights give on average

  double error() const;
};

/// For weights u (rows of G) and v (its columns), float64, and the gradients J' u and J~' v, flat, by
/// parameter, undefined where they are 0.
KernelIdentity kernel_identity(const Tensor& kernel, const Tensor& u, const Tensor& v,
                               const std::vector<Tensor>& left, const std::vector<Tensor>& right);

/// The same for a trace over c outputs, sum_k <J_k' u, J~_k' v>, on a few examples, since it takes a backward
/// pass per output; each example `alone` where LibTorch differentiates a batch of them wrongly. The two
/// inputs may be the same tensor.
KernelIdentity summed_kernel_identity(const NetworkFunction& function, const Tensor& kernel,
                                      const Tensor& left, const Tensor& right, int64_t c, bool alone = false);

/// The largest error of an identity, relative to its size, that rounding explains in a network of this dtype.
double allowed_kernel_error(at::ScalarType dtype);
/// The same for cotangents and gradients of one parameter, relative to their norms.
double allowed_capture_error(at::ScalarType dtype);

}  // namespace plumb
