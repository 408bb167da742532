/// A network that uses one layer twice, registered under as many names as a test likes.
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "plumb/core/random.hpp"
#include "plumb/models/network.hpp"

namespace plumb::test {

struct SharedLayersOptions {
  std::vector<std::string> names{"first"};
  bool unused = false;  // with a layer that forward never calls
  bool frozen = false;  // with a layer before the others that does not require a gradient
};

/// f(x) = A(tanh(A(x))) with one 4 x 4 layer A, float64, weights drawn with a seed.
struct SharedLayers final : Network {
  explicit SharedLayers(const SharedLayersOptions& options) {
    for (const std::string& name : options.names) register_module(name, layer);
    if (options.unused) register_module("unused", unused);
    if (options.frozen) {
      register_module("frozen", frozen);
      for (Tensor& parameter : frozen->parameters()) parameter.requires_grad_(false);
    }
    for (torch::nn::Linear linear : {layer, unused, frozen}) linear->to(torch::kDouble);
    at::Generator generator = Seed(5).stream("weights");
    const torch::NoGradGuard no_grad;
    for (torch::nn::Linear linear : {layer, unused, frozen})
      for (Tensor& parameter : linear->parameters()) parameter.normal_(0, 0.5, generator);
    if (!options.frozen) frozen = nullptr;
  }
  Tensor forward(Tensor x) override {
    if (!frozen.is_empty()) x = frozen(x);
    return layer(torch::tanh(layer(x)));
  }

  torch::nn::Linear layer{4, 4}, unused{4, 4}, frozen{4, 4};
};

}  // namespace plumb::test
