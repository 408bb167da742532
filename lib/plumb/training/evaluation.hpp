/// Loss and accuracy over whole sets, told apart by what happened to the labels.
#pragma once

#include <functional>
#include <limits>

#include <ATen/core/Generator.h>

#include "plumb/data/dataset.hpp"
#include "plumb/models/network.hpp"
#include "plumb/objective/loss.hpp"

namespace plumb {

inline constexpr double not_defined = std::numeric_limits<double>::quiet_NaN();

/// The examples of one run, on the training device, in the network's dtype.
struct TrainingData {
  Examples train;        // targets: what the network is trained on
  Examples test;         // may be empty
  Tensor clean_targets;  // as train.targets: those before randomization
  /// Stored inputs of a batch -> network inputs; empty: they are the same.
  std::function<Tensor(const Tensor&)> prepare;
  /// The same for training batches, with random crops and flips; empty: as prepare.
  std::function<Tensor(const Tensor&, at::Generator&)> augment;
  /// Image batches reach the network with their channels innermost in memory; the numbers are the same.
  bool channels_last = false;

  /// What the network is given for stored inputs, in evaluation and in training.
  Tensor evaluation_inputs(const Tensor& stored) const;
  Tensor training_inputs(const Tensor& stored, at::Generator& generator) const;
};

/// How well a network does on the whole training and test set, in evaluation mode. Fractions; NaN where
/// undefined: accuracies of real targets are, see Decision.
struct Fit {
  double train_loss = not_defined;
  double train_accuracy = not_defined;  // against the labels trained on
  double clean_accuracy = not_defined;  // on the examples whose label was not changed
  double memorization = not_defined;    // on the changed ones, against the changed label
  double recovery = not_defined;        // on the changed ones, against the true label
  double test_loss = not_defined;
  double test_accuracy = not_defined;
};

/// Evaluates in chunks of `chunk` examples; leaves parameters, gradients and the train/eval mode as they
/// were.
Fit evaluate(Network& network, const TrainingData& data, const Loss& loss, int64_t chunk);

}  // namespace plumb
