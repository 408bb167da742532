// Oracle: invariants of sampling without replacement.
#include "plumb/training/sampler.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/random.hpp"

using namespace plumb;

TEST_CASE("every epoch visits every example once, in another order", "[training][sampler]") {
  Sampler sampler(10, 4, Seed(1).stream("batches"), torch::kCPU);
  CHECK(sampler.steps_per_epoch() == 3);
  std::vector<Tensor> epochs;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<Tensor> batches;
    for (const int64_t size : {4, 4, 2}) {
      CHECK(sampler.epoch() == epoch);
      batches.push_back(sampler.next().clone());
      CHECK(batches.back().size(0) == size);
    }
    epochs.push_back(torch::cat(batches));
    CHECK(std::get<0>(epochs.back().sort()).equal(torch::arange(10)));
  }
  CHECK_FALSE(epochs[0].equal(epochs[1]));  // fails by chance once in 10! orders
  CHECK(sampler.progress() == 2);
}

TEST_CASE("a saved sampler goes on in the middle of an epoch", "[training][sampler]") {
  Sampler original(10, 3, Seed(1).stream("batches"), torch::kCPU);
  for (int i = 0; i < 6; ++i) original.next();
  Sampler restored(10, 3, Seed(99).stream("batches"), torch::kCPU);
  restored.load(original.state());
  CHECK(restored.progress() == original.progress());
  for (int i = 0; i < 9; ++i) CHECK(restored.next().equal(original.next()));
}
