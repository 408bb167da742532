/// What a network is trained to predict, and when a prediction counts as right.
#pragma once

#include <cstdint>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// The targets of n examples are one tensor, whose dtype says what they are:
///   classes  (n) int64, 0 .. c - 1, of a network with c outputs;
///   real     (n, c) floating, one number for each output.
enum class TargetKind { classes, real };
TargetKind target_kind(const Tensor& targets);

/// (n) bool: the examples whose targets differ. Both are of one kind and shape.
Tensor targets_differ(const Tensor& a, const Tensor& b);

/// How outputs h (n, c) are told right from wrong.
enum class Decision {
  none,            // real numbers: no prediction is right or wrong, and accuracy is not defined
  sign,            // one output and targets +-1: h y > 0, so that h = 0 is wrong
  largest_output,  // argmax_k h_k is the class, or the 1 of a target that is one 1 among zeros
};

/// The decision that suits these targets, those of a whole training set. Reads all of them.
Decision decision_for(const Tensor& targets);

/// (n) bool: which outputs are right. Throws ContractError for `none`.
Tensor correct(Decision decision, const Tensor& outputs, const Tensor& targets);

/// How many of the outputs are right, a scalar in float64 on their device; NaN for `none`.
Tensor correct_count(Decision decision, const Tensor& outputs, const Tensor& targets);

}  // namespace plumb
