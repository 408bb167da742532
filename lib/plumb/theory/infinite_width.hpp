/// The kernels of fully connected networks of infinite width: of their outputs at initialization (NNGP) and
/// of their gradients (NTK).
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/theory/dual_activation.hpp"

namespace plumb::theory {

/// A fully connected network with `depth` hidden layers and one output, drawn at random:
///   h_1 = W_1 x + b_1,  h_{l+1} = W_{l+1} sigma(h_l) + b_{l+1},  f = h_{depth+1}.
/// With L layers of weights in all, var (W_l)_ij = weight_variance / fan-in and var b = bias_variance; the
/// first layer divides by d only if `input_fan_in`, so that w_r ~ N(0, I) is expressible.
struct WideMlp {
  int64_t depth = 1;  // hidden layers; 0 is a linear model
  Nonlinearity nonlinearity;
  double weight_variance = 1;
  double bias_variance = 0;
  bool input_fan_in = true;
};

/// Between every pair of examples; the kernel of c outputs is this times the identity of size c.
struct InfiniteKernels {
  Tensor nngp;  // (n, n'): E f(x) f(x')
  Tensor ntk;   // (n, n'): <grad f(x), grad f(x')> over all weights and biases
};

/// NNGP and NTK in the NTK parameterization (weights are sqrt(weight_variance/fan-in) times trained standard
/// normals, biases sqrt(bias_variance) times trained standard normals):
///   K_1 = s_w x.x'/d + s_b,  K_{l+1} = s_w E_{K_l} sigma sigma + s_b,
///   T_1 = K_1,               T_{l+1} = K_{l+1} + s_w E_{K_l} sigma' sigma' T_l
/// (Jacot, Gabriel, Hongler 2018, Prop. 1 and Thm 1; Lee et al. 2019, sec. 2). `inputs`: (n, d) float64.
/// Throws ContractError for another dtype or shape, and a negative depth or variance.
InfiniteKernels infinite_kernels(const WideMlp& network, const Tensor& inputs);

/// The same between the rows of (n, d) and of (n', d).
InfiniteKernels infinite_kernels(const WideMlp& network, const Tensor& inputs, const Tensor& others);

/// In the standard parameterization weights and biases are themselves trained, and the NTK grows with the
/// widths m_1 .. m_depth. This is its leading order: expectations at infinite width, sums over units counted,
///   T_1 = x.x' + 1,  T_{l+1} = m_l E sigma sigma + 1 + s_w E sigma' sigma' T_l,
/// where the 1s are of biases and left out unless `biases` (Sohl-Dickstein et al. 2020). The NNGP is
/// the same as above. `widths` has one entry a hidden layer. Throws ContractError as above.
InfiniteKernels standard_kernels(const WideMlp& network, const Tensor& inputs, const Tensor& others,
                                 const std::vector<int64_t>& widths, bool biases);

/// E sigma sigma at the last hidden layer: what Q Q^T/m tends to for the features Q = sigma(h_depth) (the
/// slides' K^inf); (n, n'). With depth 1, input_fan_in false and weight variance 1 this is k_1(x.x') for ReLU
/// and unit vectors.
Tensor last_layer_kernel(const WideMlp& network, const Tensor& inputs, const Tensor& others);

/// H^inf = x.x' E sigma'(w.x) sigma'(w.x'), w ~ N(0, I): the kernel of f = (1/sqrt m) sum_r a_r sigma(w_r.x),
/// a_r = +-1, when only the w_r are trained (Du, Zhai, Poczos, Singh 2019, Thm 3.1); (n, n).
Tensor first_layer_kernel(const Nonlinearity& nonlinearity, const Tensor& inputs);

}  // namespace plumb::theory
