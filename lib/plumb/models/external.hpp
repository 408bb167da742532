/// Networks built elsewhere from LibTorch's own modules.
#pragma once

#include <memory>

#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>

#include "plumb/models/network.hpp"

namespace plumb {

/// A network that calls `layers`, whose parameters stay shared with it and keep their values.
/// `layers` must map one Tensor (n, ...) to one Tensor (n, outputs). Throws ContractError when it is empty.
std::shared_ptr<Network> wrap(torch::nn::Sequential layers);

/// The same of any module with one forward.
std::shared_ptr<Network> wrap(torch::nn::AnyModule module);

}  // namespace plumb
