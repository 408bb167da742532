/// Networks drawn from a seed, to hold the tangent kernel's engine against.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tangent_kernel/random_draw.hpp"

#include "plumb/analysis/network_function.hpp"

namespace plumb::test {

/// A network of a seed. `forward` maps (n, ...) to (n, ...) and holds what it needs.
struct RandomNetwork {
  uint64_t seed = 0;
  std::string description;
  std::shared_ptr<torch::nn::Module> module;
  Layer forward;
  Tensor inputs, others;             // two batches, of sizes that differ or not
  std::string fault;                 // why there is no tangent kernel; empty: there is one
  bool chance = false;               // the fault is one of chance
  bool smooth = true;                // finite differences agree with autograd
  bool refusable = false;            // a refusal by name is right, too
  std::shared_ptr<int64_t> changes;  // how often a fault of chance changed the numbers
  std::vector<std::string> unused;   // names of parameters without a part in the predictions

  NetworkFunction function() const { return NetworkFunction(*module, forward); }
};

/// The dtype that a seed asks for.
at::ScalarType random_dtype(uint64_t seed);

/// The network of a seed. Its weights and inputs are the same numbers in float32 and in float64.
RandomNetwork random_network(uint64_t seed, at::ScalarType dtype);

}  // namespace plumb::test
