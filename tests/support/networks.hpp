/// Small networks of every kind of layer, for whatever must be right for all of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "plumb/core/tensor.hpp"

namespace plumb::test {

/// A network in evaluation mode, of stock modules and parameters, all float64 and drawn with a seed of its
/// own, which treats examples independently. `forward` maps (n, ...) to (n, c); it holds what it needs.
struct LayerCase {
  std::string name;
  std::shared_ptr<torch::nn::Module> module;
  std::function<Tensor(const Tensor&)> forward;
  Tensor inputs;

  /// The parameters that require gradients, each once.
  std::vector<Tensor> parameters() const;
};

/// Linear layers and what surrounds them: activations, normalization, sequences, shared and transformed
/// weights.
std::vector<LayerCase> dense_layer_cases();

/// Convolutions of every option, with pooling and normalization.
std::vector<LayerCase> convolution_layer_cases();

/// All of the above.
std::vector<LayerCase> layer_cases();

}  // namespace plumb::test
