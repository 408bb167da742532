#include "plumb/theory/infinite_width.hpp"

#include <functional>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

void expects_rows(const Tensor& inputs) {
  expects(inputs.defined() && inputs.dim() == 2 && inputs.scalar_type() == torch::kDouble,
          "kernel inputs: not a float64 matrix; rows of examples (n, d) in float64 are expected");
}

/// The covariances of one layer between examples, and of each example with itself.
struct LayerCovariance {
  Tensor first;   // (n, 1)
  Tensor cross;   // (n, n')
  Tensor second;  // (1, n')
};

LayerCovariance input_covariance(const WideMlp& network, const Tensor& inputs, const Tensor& others,
                                 bool same) {
  expects_rows(inputs);
  expects_rows(others);
  expects(inputs.size(1) == others.size(1), "kernel inputs: {} and {} features; the same number is expected",
          inputs.size(1), others.size(1));
  expects(network.depth >= 0 && network.weight_variance >= 0 && network.bias_variance >= 0,
          "network: depth {}, variances {} and {}; numbers of at least 0 are expected", network.depth,
          network.weight_variance, network.bias_variance);
  const double scale =
      network.weight_variance / (network.input_fan_in ? static_cast<double>(inputs.size(1)) : 1.0);
  LayerCovariance covariance{scale * inputs.square().sum(1, true) + network.bias_variance,
                             scale * at::mm(inputs, others.t()) + network.bias_variance,
                             scale * others.square().sum(1).unsqueeze(0) + network.bias_variance};
  // Equal, not only to rounding: see dual_activation.
  if (same) covariance.cross.diagonal().copy_(covariance.first.squeeze(1));
  return covariance;
}

/// The expectations under one layer's covariance, and that of the next.
struct LayerStep {
  DualActivation dual;
  LayerCovariance next;
};

LayerStep step_of(const WideMlp& network, const LayerCovariance& at, bool same) {
  const auto& kind = network.nonlinearity;
  const auto grown = [&](const Tensor& value) {
    return network.weight_variance * value + network.bias_variance;
  };
  LayerStep step{dual_activation(kind, at.first, at.cross, at.second), {}};
  step.next = {grown(dual_activation(kind, at.first, at.first, at.first).value), grown(step.dual.value),
               grown(dual_activation(kind, at.second, at.second, at.second).value)};
  if (same) step.next.cross.diagonal().copy_(step.next.first.squeeze(1));
  return step;
}

/// What the weights and biases of one layer add to the NTK: `hidden` counts from 0, the input layer; `inner`
/// is E sigma sigma of the layer below (x.x' for the first), `covariance` that of the layer itself.
using LayerGradient = std::function<Tensor(int64_t hidden, const Tensor& inner, const Tensor& covariance)>;

InfiniteKernels recursion(const WideMlp& network, const Tensor& inputs, const Tensor& others, bool same,
                          const LayerGradient& gradient) {
  LayerCovariance covariance = input_covariance(network, inputs, others, same);
  Tensor ntk = gradient(0, at::mm(inputs, others.t()), covariance.cross);
  for (int64_t layer = 1; layer <= network.depth; ++layer) {
    LayerStep step = step_of(network, covariance, same);
    covariance = std::move(step.next);
    ntk = gradient(layer, step.dual.value, covariance.cross) +
          network.weight_variance * step.dual.derivative * ntk;
  }
  return {covariance.cross, ntk};
}

Tensor covariance_itself(int64_t /*hidden*/, const Tensor& /*inner*/, const Tensor& covariance) {
  return covariance;
}

}  // namespace

InfiniteKernels infinite_kernels(const WideMlp& network, const Tensor& inputs) {
  return recursion(network, inputs, inputs, true, covariance_itself);
}

InfiniteKernels infinite_kernels(const WideMlp& network, const Tensor& inputs, const Tensor& others) {
  return recursion(network, inputs, others, inputs.is_same(others), covariance_itself);
}

InfiniteKernels standard_kernels(const WideMlp& network, const Tensor& inputs, const Tensor& others,
                                 const std::vector<int64_t>& widths, bool biases) {
  expects(static_cast<int64_t>(widths.size()) == network.depth,
          "standard parameterization: {} widths for {} hidden layers; one each is expected", widths.size(),
          network.depth);
  const double of_biases = biases ? 1 : 0;
  return recursion(network, inputs, others, inputs.is_same(others),
                   [&](int64_t hidden, const Tensor& inner, const Tensor& /*covariance*/) {
                     const double units =
                         hidden == 0 ? 1 : static_cast<double>(widths[static_cast<size_t>(hidden - 1)]);
                     return units * inner + of_biases;
                   });
}

Tensor last_layer_kernel(const WideMlp& network, const Tensor& inputs, const Tensor& others) {
  expects(network.depth >= 1, "last layer's kernel: no hidden layer; at least 1 is expected");
  const bool same = inputs.is_same(others);
  LayerCovariance covariance = input_covariance(network, inputs, others, same);
  Tensor features;
  for (int64_t layer = 1; layer <= network.depth; ++layer) {
    LayerStep step = step_of(network, covariance, same);
    features = step.dual.value;
    covariance = std::move(step.next);
  }
  return features;
}

Tensor first_layer_kernel(const Nonlinearity& nonlinearity, const Tensor& inputs) {
  WideMlp network;
  network.input_fan_in = false;
  const LayerCovariance covariance = input_covariance(network, inputs, inputs, true);
  return covariance.cross *
         dual_activation(nonlinearity, covariance.first, covariance.cross, covariance.second).derivative;
}

}  // namespace plumb::theory
