#include "plumb/models/network.hpp"

#include <functional>
#include <numeric>

#include <ATen/ATen.h>

#include "plumb/models/parameters.hpp"

namespace plumb {
namespace {

/// Puts convert(tensor) in the place of every parameter, its gradient, and every buffer.
template <class Convert>
void convert_all(const torch::nn::Module& module, const Convert& convert) {
  for (Tensor& parameter : module.parameters()) {
    parameter.set_data(convert(parameter.detach()));
    if (parameter.grad().defined()) parameter.mutable_grad().set_data(convert(parameter.grad().detach()));
  }
  for (Tensor& buffer : module.buffers()) buffer.set_data(convert(buffer.detach()));
}

at::ScalarType converted(const Tensor& tensor, at::ScalarType dtype) {
  return tensor.is_floating_point() ? dtype : tensor.scalar_type();
}

}  // namespace

void Network::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  convert_all(
      *this, [&](const Tensor& tensor) { return tensor.to(device, converted(tensor, dtype), non_blocking); });
}

void Network::to(torch::Dtype dtype, bool non_blocking) {
  convert_all(*this, [&](const Tensor& tensor) { return tensor.to(converted(tensor, dtype), non_blocking); });
}

void Network::to(torch::Device device, bool non_blocking) { torch::nn::Module::to(device, non_blocking); }

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
