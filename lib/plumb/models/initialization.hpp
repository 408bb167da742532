/// Initial weights, drawn from a generator of ours instead of LibTorch's global one.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// he_normal: N(0, 2/fan_in); glorot_uniform: U(+-sqrt(6/(fan_in+fan_out))); lecun_normal: N(0, 1/fan_in);
/// biases 0. torch: weights and biases U(+-1/sqrt(fan_in)), LibTorch's own default.
enum class Initialization { he_normal, glorot_uniform, lecun_normal, torch };

inline const std::vector<std::string> initialization_names{"he_normal", "glorot_uniform", "lecun_normal",
                                                           "torch"};

/// What one output of a layer reads, and what one input of it feeds.
struct Fan {
  int64_t in = 0;
  int64_t out = 0;
};

/// `weight`: (out, in, kernel...) gives in |kernel| and out |kernel|; `in` of a grouped convolution is one
/// group's.
Fan fan_of(const Tensor& weight);

/// Draws the weights of every linear and convolutional layer below `module`, in the order of named_modules();
/// normalization layers get scale 1 and shift 0; parameters of other modules stay as they are. On one device
/// and in one dtype the same generator state gives the same weights. (He et al. 2015; Glorot & Bengio 2010;
/// LeCun et al. 1998.)
void initialize(torch::nn::Module& module, Initialization kind, at::Generator& generator);

}  // namespace plumb
