/// S6, one hidden layer of any activation: the block form of its Jacobian, its rank and smallest eigenvalue
/// measured, and the claims made of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/models/activation.hpp"

namespace plumb {

/// The Jacobian of f(x) = sum_r v_r sigma(w_r.x) on n inputs with respect to W, as autograd finds it.
struct HiddenLayerMeasurement {
  std::string place;  // "leaky_relu"
  int64_t n = 0;
  theory::Prediction lambda_min;   // lambda_min(J J^T) >= the Schur bound
  theory::Prediction full_rank;    // rank J = n with its hypotheses
  double measured_lambda_min = 0;  // sigma_n(J)^2
  theory::Bounds measured_rank;    // of J: at_least, at_most
  double block_error = 0;          // max |J - rows (v o sigma') (x) x| / max |J|
};

/// `inputs`: (n, d), `weights`: (m, d), `output_weights`: (m), float64.
HiddenLayerMeasurement measure_hidden_layer(std::string place, Activation activation, double negative_slope,
                                            const Tensor& inputs, const Tensor& weights,
                                            const Tensor& output_weights);

struct HiddenLayerRuns {
  std::vector<HiddenLayerMeasurement> generic;  // independent inputs, one layer an activation; linear first
  HiddenLayerMeasurement dependent;             // two equal inputs
  HiddenLayerMeasurement inactive;              // ReLU, one input on the far side of every unit
};

std::vector<Claim> hidden_layer_claims(const HiddenLayerRuns& runs);

}  // namespace plumb
