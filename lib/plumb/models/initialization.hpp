/// Initial weights, drawn from a generator of ours instead of LibTorch's global one.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

namespace plumb {

/// he_normal: N(0, 2/fan_in); glorot_uniform: U(+-sqrt(6/(fan_in+fan_out))); lecun_normal: N(0, 1/fan_in);
/// biases 0. torch: weights and biases U(+-1/sqrt(fan_in)), LibTorch's own default.
enum class Initialization { he_normal, glorot_uniform, lecun_normal, torch };

inline const std::vector<std::string> initialization_names{"he_normal", "glorot_uniform", "lecun_normal",
                                                           "torch"};

/// Draws the weights of every linear and convolutional layer below `module`, in the order of named_modules();
/// normalization layers get scale 1 and shift 0. (He et al. 2015; Glorot & Bengio 2010; LeCun et al. 1998.)
void initialize(torch::nn::Module& module, Initialization kind, at::Generator& generator);

}  // namespace plumb
