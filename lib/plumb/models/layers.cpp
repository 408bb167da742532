#include "plumb/models/layers.hpp"

#include <algorithm>

#include <fmt/ranges.h>

namespace plumb {
namespace {

std::string shape_text(const Signature& signature) {
  return fmt::format("{{{}}}", fmt::join(signature.input, ", "));
}

}  // namespace

void require_values(const Signature& signature, std::string_view model) {
  if (signature.outputs < 1)
    throw ConfigError(fmt::format("model {}: {} outputs; at least 1 is needed", model, signature.outputs));
  const auto& input = signature.input;
  if (input.empty() || std::any_of(input.begin(), input.end(), [](int64_t side) { return side < 1; }))
    throw ConfigError(
        fmt::format("model {}: inputs of shape {}; positive sizes are needed", model, shape_text(signature)));
}

void require_images(const Signature& signature, int64_t smallest, std::string_view model) {
  require_values(signature, model);
  const auto& input = signature.input;
  if (input.size() != 3)
    throw ConfigError(
        fmt::format("model {}: inputs of shape {}; images {{channels, height, width}} are needed", model,
                    shape_text(signature)));
  if (std::min(input[1], input[2]) < smallest)
    throw ConfigError(fmt::format("model {}: images of {} x {} pixels; at least {} x {} are needed", model,
                                  input[1], input[2], smallest, smallest));
}

torch::nn::Conv2d same_convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride, bool bias) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(bias));
}

}  // namespace plumb
