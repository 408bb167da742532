#include "plumb/experiment/set_up.hpp"

#include <torch/torch.h>

#include "plumb/core/memory.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

void set_up_libtorch(const Run& run, std::optional<int64_t> threads, const at::Device& device) {
  if (threads) at::set_num_threads(static_cast<int>(*threads));
  at::globalContext().setDeterministicAlgorithms(run.compute.deterministic, /*warn_only=*/true);
  at::globalContext().setDeterministicCuDNN(run.compute.deterministic);
  at::globalContext().setBenchmarkCuDNN(!run.compute.deterministic);
  // float32 means float32: TensorFloat-32 has 10 bits of mantissa.
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  seed_global_generators(Seed(static_cast<uint64_t>(run.seed)).derive("global"), device);
}

/// Lays out the weights of a convolutional network as asked; true when its inputs are to have channels last.
bool lay_out_network(Network& network, const Run& run, const at::Device& device) {
  const bool faster = device.is_cpu() || run.training.autocast != Autocast::none;
  if (run.compute.memory_format == MemoryFormat::contiguous) return false;
  if (run.compute.memory_format == MemoryFormat::automatic && !faster) return false;
  return lay_out_channels_last(network);
}

}  // namespace

SetUp set_up(const Run& run, const std::filesystem::path& data_folder, std::optional<int64_t> threads,
             bool resumed) {
  const at::Device device = find_device(run.compute.device);
  set_up_libtorch(run, threads, device);
  SetUp made{device, prepare_data(run, data_folder, device), nullptr};
  // Only now: what reading the data needed for a while goes back to the system.
  if (device.is_cpu()) keep_freed_memory();
  const Seed seed(static_cast<uint64_t>(run.seed));
  at::Generator weights = seed.stream("weights");
  made.network = run.model.make(made.prepared.signature, weights);
  made.network->to(device, run.compute.precision == Precision::float64 ? at::kDouble : at::kFloat);
  if (!resumed) run.initial_weights.make(*made.network, made.prepared.data, seed);
  made.prepared.data.channels_last = lay_out_network(*made.network, run, device);
  return made;
}

}  // namespace plumb
