/// Which tensors of a module are its parameters: each one once, however often it is registered.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "plumb/core/tensor.hpp"

namespace plumb {

struct NamedParameter {
  std::string name;  // the first one that the tensor is registered under: "block1.convolution.weight"
  Tensor value;
};

/// All parameters of `module`, in the order of torch::nn::Module::named_parameters(). A layer or tensor that
/// is registered under several names is one parameter, under the first of them.
std::vector<NamedParameter> distinct_parameters(const torch::nn::Module& module);

/// Those of them that require a gradient: what an optimizer moves, what is counted, what derivatives are
/// taken with respect to. Throws ContractError, naming both, when two different tensors among them share
/// memory: moving one would move the other, too. (Views of one buffer that do not overlap are fine.)
std::vector<NamedParameter> named_trainable_parameters(const torch::nn::Module& module);

/// The same without their names.
std::vector<Tensor> trainable_parameters(const torch::nn::Module& module);

/// Throws ContractError, naming it, for a trainable parameter that an update could not move by its gradient
/// alone: one that is computed from others (it has no gradient of its own), whose elements share memory (an
/// expanded tensor), or that is complex.
void check_can_be_trained(const std::vector<NamedParameter>& parameters);

}  // namespace plumb
