/// Whether a network treats each example of a batch for itself.
#pragma once

#include "plumb/analysis/network_function.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// Predicts every example again in other company: in two halves of the batch drawn at random, one also alone.
/// `thorough`: each alone, which also finds what the batch decides for all examples at once (a branch on its
/// mean); of more than 256, or of more than 16 where n times the parameters is more than 2^26, some alone and
/// all in halves, which of up to 64 part every pair. `predictions`: those of `inputs` as one batch, (n, c).
/// Throws ContractError, naming two examples, when a prediction moved by more than the network's arithmetic
/// explains. What is below a fixed share of the predictions is rounding. Beyond it, a prediction that moves
/// in float64 as it did in fewer bits was not moved by rounding; where float64 is what the network computes
/// in, or cannot take its place, relative changes of all weights and inputs by one rounding say how far
/// rounding may move it.
void check_uncoupled(const NetworkFunction& function, const Tensor& inputs, const Tensor& predictions,
                     bool thorough);

/// Throws ContractError when the predictions of some examples have a derivative by other examples' inputs.
/// Says nothing about integer inputs.
void check_uncoupled_derivatives(const NetworkFunction& function, const Tensor& inputs);

/// Throws Error when the gradients that two examples have in the batch are not those that each has alone,
/// though their predictions are: LibTorch then differentiates some operator of a batch wrongly, or by a rule
/// that the batch decides. One example may differ, where rounding took it over a kink.
void check_gradients_alone(const NetworkFunction& function, const Tensor& inputs);

}  // namespace plumb
