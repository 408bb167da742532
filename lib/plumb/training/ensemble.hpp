/// Many small trainings advanced together: one batched product per layer and step instead of one network.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/models/activation.hpp"
#include "plumb/objective/loss.hpp"

namespace plumb {

/// One training: the network f(x) = scale W_L sigma(W_{L-1} ... sigma(W_1 x)) on its own data. All tensors
/// share one floating dtype and device.
struct EnsembleMember {
  Tensor inputs;                // (n, d)
  Tensor targets;               // (n, c): values; +-1 for logistic; one-hot codes for softmax
  std::vector<Tensor> weights;  // W_l as torch::nn::Linear holds them: (out, in); two layers or more
  double scale = 1;
  double learning_rate = 0.1;
  uint64_t seed = 0;  // of the order of its batches, see Sampler
};

/// square: l = factor ||f - y||^2; logistic: l = log(1 + exp(-y f)) summed over outputs; softmax: l = -y .
/// log softmax(f).
enum class EnsembleLoss { square, logistic, softmax };

/// What the members of an ensemble have in common.
struct EnsembleOptions {
  Activation activation = Activation::relu;
  double negative_slope = 0.01;
  EnsembleLoss loss = EnsembleLoss::square;
  double factor = 0.5;  // of square
  Reduction reduction = Reduction::sum;
  double weight_decay = 0;                 // D: every update is W -= rate (dL/dW + D W)
  std::vector<bool> trained = {};          // layer by layer; empty: all
  std::optional<int64_t> batch_size = {};  // none: gradient descent on all n examples
  int64_t max_steps = 1000;
  int64_t evaluate_every = 1;                   // steps between looks at the loss over all examples
  double relative_loss = 0;                     // converged when L <= relative_loss L(0), unless 0
  std::optional<double> accuracy = {};          // converged when so large a fraction of the examples is right
  double divergence = 1e6;                      // diverged when L is not finite or above so many times L(0)
  std::optional<int64_t> members_at_once = {};  // none: as many as the processor's cache holds
};

enum class MemberEnd { converged, diverged, step_limit };

/// How one training ended. The losses are over all examples.
struct MemberOutcome {
  MemberEnd end = MemberEnd::step_limit;
  int64_t steps = 0;  // updates done when the end was seen
  double initial_loss = 0;
  double final_loss = 0;
  std::vector<Tensor> weights;  // after these steps, (out, in)

  bool converged() const { return end == MemberEnd::converged; }
};

/// Trains every member by gradient descent or, with batch_size, by SGD whose epochs are permutations (each
/// member's own). The trajectory of a member is the one it has alone, whatever else is in the ensemble, up to
/// rounding. Members of like width are advanced together, narrower ones padded with units that stay 0; those
/// that have ended are dropped from the batch. Gradients are written out for these networks; autograd is not
/// used. An accuracy counts signs for one output and largest outputs for several. Throws ContractError when
/// members differ in n, d, c, depth, dtype or device, or a weight has the wrong shape.
std::vector<MemberOutcome> train_ensemble(const std::vector<EnsembleMember>& members,
                                          const EnsembleOptions& options);

}  // namespace plumb
