/// When a run ends, and why it did.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "plumb/core/fields.hpp"

namespace plumb {

/// A run ends at the first of these that comes true. The accuracy and loss are those of an evaluation: exact
/// over the training set, in evaluation mode, against the labels trained on.
struct StopOptions {
  std::optional<double> train_accuracy = {};
  std::optional<double> train_loss = {};
  std::optional<int64_t> steps = {};
  std::optional<double> epochs = 100;
  std::optional<double> seconds = {};

  void fields(Fields& f) {
    f.field("train_accuracy", train_accuracy, "stop when the training accuracy is at least this", fraction);
    f.field("train_loss", train_loss, "stop when the training loss is at most this", non_negative);
    f.field("steps", steps, "stop after this many updates; 0: what is true at the start", non_negative);
    f.field("epochs", epochs, "stop after this many passes over the training set", positive);
    f.field("seconds", seconds, "stop after this much time in training and evaluation", positive);
  }
};

enum class Outcome {
  train_accuracy_reached,
  train_loss_reached,
  step_limit,
  epoch_limit,
  time_limit,
  diverged,     // the loss is no longer a finite number
  interrupted,  // stopped from outside; can be resumed
};

/// "train_accuracy_reached", ...
std::string_view to_string(Outcome outcome);

}  // namespace plumb
