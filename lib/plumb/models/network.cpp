#include "plumb/models/network.hpp"

#include <functional>
#include <numeric>

#include <ATen/ATen.h>

#include "plumb/models/parameters.hpp"

namespace plumb {

int64_t Signature::input_size() const {
  return std::accumulate(input.begin(), input.end(), int64_t{1}, std::multiplies<>{});
}

int64_t parameter_count(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const Tensor& parameter : trainable_parameters(module)) count += parameter.numel();
  return count;
}

bool lay_out_channels_last(torch::nn::Module& module) {
  bool convolutional = false;
  for (auto& [name, parameter] : distinct_parameters(module)) {
    if (parameter.dim() != 4) continue;
    parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
    convolutional = true;
  }
  return convolutional;
}

}  // namespace plumb
