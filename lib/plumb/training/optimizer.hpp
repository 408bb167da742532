/// How the parameters move: one update per step, from the gradients that backward left in them.
#pragma once

#include <memory>
#include <vector>

#include "plumb/core/archive.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

class Optimizer {
 public:
  explicit Optimizer(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {}
  virtual ~Optimizer() = default;

  /// Moves every parameter that has a gradient. `learning_rate` already contains the schedule.
  virtual void step(double learning_rate) = 0;
  /// The learning rate that the schedule multiplies.
  virtual double base_learning_rate() const = 0;
  /// True when each step needs the gradient of the whole training set.
  virtual bool full_batch() const { return false; }
  /// Everything beside the parameters that the next step depends on.
  virtual Archive state() const { return {}; }
  virtual void load(const Archive&) {}

 protected:
  std::vector<Tensor> parameters_;
};

/// Optimizers by name: gd, sgd, adam.
using Optimizers = Registry<std::unique_ptr<Optimizer>(std::vector<Tensor>)>;
Optimizers& optimizers();

}  // namespace plumb
