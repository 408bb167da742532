/// A network's weights and LibTorch's global generators as archives.
#pragma once

#include <ATen/core/TensorBase.h>
#include <torch/nn/module.h>

#include "plumb/core/archive.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

class Network;

/// {name: tensor} of all parameters and buffers, under the names Python's state_dict uses.
Archive save_network(const torch::nn::Module& module);

/// Puts them back. Throws DataError when a name is missing or a shape differs.
void load_network(torch::nn::Module& module, const Archive& archive);

/// The states of the global CPU generator and, when `device` is CUDA, of that device's.
Archive save_global_generators(const at::Device& device);
void load_global_generators(const Archive& archive, const at::Device& device);

/// Whether the predictions of these inputs are the same, to rounding, in training mode as in evaluation mode:
/// not behind batch normalization and dropout. Buffers, modes and global generators are left as they were.
bool same_in_training(Network& network, const Tensor& inputs);

/// Seeds the same generators: networks of a user's own may draw from them (dropout).
void seed_global_generators(uint64_t seed, const at::Device& device);

}  // namespace plumb
