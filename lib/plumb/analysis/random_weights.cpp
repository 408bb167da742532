#include "plumb/analysis/random_weights.hpp"

#include <atomic>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "plumb/core/random.hpp"

namespace plumb {

at::Generator check_generator() {
  static std::atomic<uint64_t> calls{0};
  return Seed(calls++).stream("check");
}

Tensor random_weights(int64_t count, at::Generator& generator) {
  const at::TensorOptions wide(at::kDouble);
  const Tensor place = at::randperm(count, generator, at::TensorOptions(at::kLong)).to(at::kDouble);
  const Tensor within = at::rand({count}, generator, wide) * 0.5 + 0.25;
  const Tensor magnitude = (place + within) / static_cast<double>(count) + 0.5;
  return magnitude * (at::randint(2, {count}, generator, wide) * 2 - 1);
}

}  // namespace plumb
