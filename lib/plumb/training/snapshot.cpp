#include "plumb/training/snapshot.hpp"

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/models/network.hpp"

namespace plumb {
namespace {

at::Generator global_generator(const at::Device& device) {
  return at::globalContext().defaultGenerator(device);
}

void put_back(const std::string& name, Tensor& target, const Archive& archive) {
  const Tensor saved = archive.tensor(name);
  if (saved.sizes() != target.sizes())
    throw DataError(fmt::format("saved tensor '{}' has another shape than the network's", name));
  target.copy_(saved);
}

}  // namespace

Archive save_network(const torch::nn::Module& module) {
  Archive archive;
  for (const auto& parameter : module.named_parameters()) archive.put(parameter.key(), parameter.value());
  for (const auto& buffer : module.named_buffers()) archive.put(buffer.key(), buffer.value());
  return archive;
}

void load_network(torch::nn::Module& module, const Archive& archive) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : module.named_parameters()) put_back(parameter.key(), parameter.value(), archive);
  for (auto& buffer : module.named_buffers()) put_back(buffer.key(), buffer.value(), archive);
}

Archive save_global_generators(const at::Device& device) {
  Archive archive;
  archive.put("cpu", global_generator(at::kCPU).get_state());
  if (device.is_cuda()) archive.put("cuda", global_generator(device).get_state());
  return archive;
}

void load_global_generators(const Archive& archive, const at::Device& device) {
  global_generator(at::kCPU).set_state(archive.tensor("cpu"));
  if (device.is_cuda()) global_generator(device).set_state(archive.tensor("cuda"));
}

void seed_global_generators(uint64_t seed, const at::Device& device) {
  global_generator(at::kCPU).set_current_seed(seed);
  if (device.is_cuda()) global_generator(device).set_current_seed(seed);
}

bool same_in_training(Network& network, const Tensor& inputs) {
  const at::NoGradGuard no_grad;
  const bool was_training = network.is_training();
  const Archive generators = save_global_generators(inputs.device());
  std::vector<Tensor> buffers;
  for (const Tensor& buffer : network.buffers()) buffers.push_back(buffer.clone());
  network.eval();
  const Tensor evaluated = network.forward(inputs);
  network.train();
  bool same = false;
  try {
    same = at::allclose(network.forward(inputs), evaluated, 1e-4, 1e-6, /*equal_nan=*/true);
  } catch (const c10::Error&) {  // normalization over a batch of one example, for instance
  }
  size_t i = 0;
  for (Tensor& buffer : network.buffers()) buffer.copy_(buffers[i++]);
  network.train(was_training);
  load_global_generators(generators, inputs.device());
  return same;
}

}  // namespace plumb
