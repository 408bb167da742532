#include "plumb/models/initialization.hpp"

#include <cmath>
#include <unordered_set>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

namespace plumb {
namespace {

void draw_weight(Tensor& weight, Initialization kind, at::Generator& generator) {
  const auto fan_in = static_cast<double>(fan_of(weight).in);
  const auto fan_out = static_cast<double>(fan_of(weight).out);
  switch (kind) {
    case Initialization::he_normal:
      weight.normal_(0, std::sqrt(2 / fan_in), generator);
      break;
    case Initialization::glorot_uniform: {
      const double bound = std::sqrt(6 / (fan_in + fan_out));
      weight.uniform_(-bound, bound, generator);
      break;
    }
    case Initialization::lecun_normal:
      weight.normal_(0, std::sqrt(1 / fan_in), generator);
      break;
    case Initialization::torch:
      weight.uniform_(-1 / std::sqrt(fan_in), 1 / std::sqrt(fan_in), generator);
      break;
  }
}

void draw_layer(Tensor& weight, Tensor& bias, Initialization kind, at::Generator& generator) {
  draw_weight(weight, kind, generator);
  if (!bias.defined()) return;
  if (kind == Initialization::torch) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_of(weight).in));
    bias.uniform_(-bound, bound, generator);
  } else {
    bias.zero_();
  }
}

/// Draws the layer if it is a `Layer`.
template <class Layer>
bool draw_if(torch::nn::Module& module, Initialization kind, at::Generator& generator) {
  auto* layer = module.as<Layer>();
  if (layer != nullptr) draw_layer(layer->weight, layer->bias, kind, generator);
  return layer != nullptr;
}

template <class Layer>
bool reset_if(torch::nn::Module& module) {
  auto* layer = module.as<Layer>();
  if (layer != nullptr && layer->weight.defined()) layer->weight.fill_(1);
  if (layer != nullptr && layer->bias.defined()) layer->bias.zero_();
  return layer != nullptr;
}

}  // namespace

Fan fan_of(const Tensor& weight) {
  const int64_t receptive_field = weight[0][0].numel();
  return {weight.size(1) * receptive_field, weight.size(0) * receptive_field};
}

void initialize(torch::nn::Module& module, Initialization kind, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  std::unordered_set<const torch::nn::Module*> drawn;
  module.apply([&](torch::nn::Module& m) {
    using namespace torch::nn;
    if (!drawn.insert(&m).second) return;
    (void)(draw_if<LinearImpl>(m, kind, generator) || draw_if<Conv2dImpl>(m, kind, generator) ||
           draw_if<Conv1dImpl>(m, kind, generator) || draw_if<Conv3dImpl>(m, kind, generator) ||
           reset_if<BatchNorm2dImpl>(m) || reset_if<BatchNorm1dImpl>(m) || reset_if<BatchNorm3dImpl>(m) ||
           reset_if<LayerNormImpl>(m) || reset_if<GroupNormImpl>(m) || reset_if<InstanceNorm1dImpl>(m) ||
           reset_if<InstanceNorm2dImpl>(m) || reset_if<InstanceNorm3dImpl>(m));
  });
}

}  // namespace plumb
