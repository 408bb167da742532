/// S5, one linear hidden layer: J = v (x) X measured, and the claims made of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"

namespace plumb {

/// The Jacobian of f(x) = V W x on n inputs with respect to W, as autograd finds it.
struct LinearLayerMeasurement {
  std::string place;  // "rank X 3, rank V 2"
  int64_t n = 0;
  theory::Prediction rank;       // rank V rank X
  theory::Bounds measured_rank;  // of J: at_least, at_most
  double block_error = 0;        // max |J - V (x) X| / max |J|
  Tensor singular_values;        // of J, descending
  Tensor products;               // of those of V with those of X, descending
  double spectrum_error = 0;     // max difference of the two, as a share of the largest
};

/// `inputs`: (n, d), `weights`: (m, d), `output_weights`: (c, m), float64.
LinearLayerMeasurement measure_linear_layer(std::string place, const Tensor& inputs, const Tensor& weights,
                                            const Tensor& output_weights);

/// The claims of layers whose inputs have full row rank or not; `deficient` is one whose rank X is below n.
std::vector<Claim> linear_layer_claims(const std::vector<LinearLayerMeasurement>& layers,
                                       const LinearLayerMeasurement& deficient);

}  // namespace plumb
