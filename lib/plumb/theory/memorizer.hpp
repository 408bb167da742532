/// ReLU networks that are built, not trained, to give any values at n inputs.
///
/// What is returned was evaluated at all inputs in float64 and memorizes them: where float64 is too coarse
/// for the gaps between inputs a DataError says how many of them it gets wrong, and names the two that lie
/// nearest. Inputs that are equal are one point; they are refused with a DataError naming two of them only
/// where their targets differ. So are inputs and targets that are not finite.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Generator.h>

#include "plumb/core/tensor.hpp"

namespace plumb::theory {

/// c(x) = sum_j w_j max(a.x - b_j, 0): one hidden layer with one direction a for all units (Zhang, Bengio,
/// Hardt, Recht, Vinyals 2017, Theorem 1). All tensors are float64.
struct ShallowMemorizer {
  Tensor direction;   // a (d)
  Tensor thresholds;  // b (n), ascending
  Tensor weights;     // w (n)

  /// 2n + d.
  int64_t weight_count() const;
  /// c(x) of (k, ...) inputs: (k). O(k (d + n)).
  Tensor evaluate(const Tensor& inputs) const;
};

/// How a memorizing network is made.
struct MemorizerOptions {
  /// The direction with the largest smallest gap between projections is taken, of so many drawn ones.
  int64_t projections = 20;
  /// Units in the two hidden layers, (d1, d2); none: the smallest equal even ones, see memorize_values().
  std::optional<std::pair<int64_t, int64_t>> widths = {};
  /// Values count as memorized that are off by no more than this, times the largest |target| where that is
  /// more than 1. Labels must be right.
  double tolerance = 1e-2;
};

/// The network of Zhang et al. 2017, Theorem 1, with b_1 = z_1 - 1 and b_i = z_{i-1} between the sorted
/// projections z_1 < ... < z_n: the triangular system is then solved by differences of slopes, in O(n) after
/// the sort (the theorem asks for b_i < z_i only). inputs: (n, ...) of any type, counted as n vectors in R^d;
/// targets: (n). O(n d + n log n), and O(n^2) additions to evaluate it. Throws DataError as above;
/// ContractError for other shapes.
ShallowMemorizer memorize_shallow(const Tensor& inputs, const Tensor& targets,
                                  const MemorizerOptions& options, at::Generator& generator);

/// One layer of a fully connected network: h -> weight h + bias, as torch::nn::Linear holds them.
struct DenseLayer {
  Tensor weight;  // (out, in)
  Tensor bias;    // (out)
};

/// A fully connected network with ReLU between its layers, built to memorize. All tensors are float64; in
/// float32 its differences of large numbers mean nothing.
struct MemorizingNetwork {
  std::vector<DenseLayer> layers;
  int64_t groups = 0;         // p: how many intervals the sorted projections are cut into
  int64_t group_size = 0;     // q: points in each, also units' pairs in the second layer
  int64_t coordinates = 1;    // of a target: so often the second layer is repeated
  double smallest_gap = 0;    // between neighbouring projections of the inputs
  double largest_weight = 0;  // absolute value over all layers: what rounding is multiplied with

  /// Entries of all weights and biases.
  int64_t dense_weights() const;
  /// Different numbers that hold what was memorized: the direction (d), 2p - 1 thresholds, and 2p numbers for
  /// each of the q pairs of the second layer, for each coordinate.
  int64_t distinct_weights() const;
  /// (k, outputs) of (k, ...) inputs, in the layers' precision, in chunks.
  Tensor evaluate(const Tensor& inputs) const;
};

/// A 3-layer network d - d1 - d2 - c with f(x_i) = targets_i for targets (n) or (n, c) in [-1, 1] and
/// inputs (n, ...), after Yun, Sra, Jadbabaie 2019, Theorem 3.1, for ReLU. The condition is p q >= n
/// with p = floor((d1 + 1)/2) and q = 2 floor(d2/(4c)), no more than the theorem's 4 floor(d1/4)
/// floor(d2/(4c)) >= n. Each coordinate of the targets has units of its own in the second layer. Projections
/// c_i = u.x_i are sorted and cut into p groups of q. The first layer's units are relu(c - t_i) with t the
/// first and last point of each group, so each unit pair of the second layer sees a piecewise linear z_k that
/// is y_jk + (-1)^{k-1} W_j (c - c_jk) on group j, with W_j so steep that |z_k| >= 1 at the group's other
/// points; there clip(z_k, -1, 1) = relu(z_k + 1) - relu(z_k - 1) - 1 is +-1, and for even q these cancel to
/// +1: f = sum_k clip(z_k) - 1. O(n d + n log n), and a forward pass of all inputs. Throws DataError as
/// above; ContractError for widths that are too small for the distinct inputs and targets outside [-1, 1].
MemorizingNetwork memorize_values(const Tensor& inputs, const Tensor& targets,
                                  const MemorizerOptions& options, at::Generator& generator);

/// A 4-layer network d - d1 - d2 - 4C - C whose outputs are the one-hot codes of labels (n) in 0 .. C - 1
/// (Yun et al. 2019, Proposition 3.2): the classes are values v_c = -1 + 2c/(C - 1) of the network above, and
/// each output is a bump around v_c that is exactly 1 within 2/(3(C - 1)) of it and 0 three times as far
/// away; so labels are right as long as rounding stays below that. Throws as above; ContractError for C < 2.
MemorizingNetwork memorize_classes(const Tensor& inputs, const Tensor& labels, int64_t classes,
                                   const MemorizerOptions& options, at::Generator& generator);

}  // namespace plumb::theory
