/// The device of the tests that can run on any: what PLUMB_TEST_DEVICE names (cuda, cuda:1), else the CPU.
#pragma once

#include <cstdlib>

#include <torch/types.h>

#include "plumb/training/trainer.hpp"

namespace plumb::test {

inline at::Device test_device() {
  const char* const name = std::getenv("PLUMB_TEST_DEVICE");
  return at::Device(name == nullptr ? "cpu" : name);
}

/// The same data on the test device, as a run that trains there holds them.
inline TrainingData on_test_device(TrainingData data) {
  const at::Device device = test_device();
  for (Examples* examples : {&data.train, &data.test}) {
    examples->inputs = examples->inputs.to(device);
    examples->targets = examples->targets.to(device);
  }
  data.clean_targets = data.clean_targets.to(device);
  return data;
}

}  // namespace plumb::test
