/// What several architectures share: checks of the signature and convolutions with 'same' padding.
#pragma once

#include <string_view>

#include <torch/nn/modules/conv.h>

#include "plumb/models/network.hpp"

namespace plumb {

/// Throws ConfigError unless inputs are {channels, height, width} images of at least `smallest` x `smallest`
/// pixels and there is at least one output. `model` begins the message.
void require_images(const Signature& signature, int64_t smallest, std::string_view model);

/// Throws ConfigError unless an input has at least one value and there is at least one output.
void require_values(const Signature& signature, std::string_view model);

/// A convolution of odd kernel size whose outputs have ceil(side / stride) pixels a side.
torch::nn::Conv2d same_convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
                                   bool bias = true);

}  // namespace plumb
