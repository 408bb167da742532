/// The network f(w, x): a LibTorch module with one forward; and the registry of architectures.
#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

#include "plumb/core/registry.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// What a network must map: one example's shape to a number of outputs.
struct Signature {
  std::vector<int64_t> input;  // {channels, height, width} or {d}
  int64_t outputs = 0;         // number of classes

  int64_t input_size() const;  // product of input
};

/// Any torch::nn module whose forward maps (n, input...) to (n, outputs).
class Network : public torch::nn::Module {
 public:
  virtual Tensor forward(Tensor inputs) = 0;

  /// Moves all tensors to the device and converts those of floating point, as Python's Module.to does:
  /// LibTorch's converts buffers of integers, too, which then index nothing any more.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;
};

/// Architectures by name. Making one draws all initial weights from the given generator, on the CPU, in
/// float32. Throws ConfigError when the signature does not suit the architecture.
using Models = Registry<std::shared_ptr<Network>(const Signature&, at::Generator&)>;
Models& models();

/// Number of trainable parameters.
int64_t parameter_count(const torch::nn::Module& module);

/// Lays out the weights of two-dimensional convolutions with their channels innermost in memory; false when
/// there are none. Such a network is fast on images laid out alike; the numbers do not change.
bool lay_out_channels_last(torch::nn::Module& module);

}  // namespace plumb
