/// Small networks and data with known answers.
#pragma once

#include <torch/torch.h>

#include "plumb/models/network.hpp"
#include "plumb/training/trainer.hpp"

namespace plumb::test {

/// f(x) = W x, all weights 0 at first.
class LinearNetwork final : public Network {
 public:
  LinearNetwork(int64_t inputs, int64_t outputs)
      : weight(register_parameter("weight", torch::zeros({outputs, inputs}, torch::kDouble))) {}
  Tensor forward(Tensor x) override { return x.mm(weight.t()); }

  Tensor weight;
};

/// n examples of d numbers in c classes, float64, drawn with a seed; the labels of the first `corrupted` are
/// changed.
inline TrainingData random_data(int64_t n, int64_t d, int64_t c, int64_t corrupted = 0, uint64_t seed = 1) {
  at::Generator generator = Seed(seed).stream("test");
  TrainingData data;
  data.train.inputs = torch::randn({n, d}, generator, torch::kDouble);
  data.clean_targets = torch::randint(c, {n}, generator, torch::kLong);
  data.train.targets = data.clean_targets.clone();
  if (corrupted > 0) data.train.targets.slice(0, 0, corrupted).add_(1).remainder_(c);
  data.test.inputs = torch::randn({n / 2, d}, generator, torch::kDouble);
  data.test.targets = torch::randint(c, {n / 2}, generator, torch::kLong);
  return data;
}

/// Training options from YAML.
inline TrainingOptions training_options(const std::string& yaml) {
  return read_options<TrainingOptions>(Config::parse(yaml));
}

}  // namespace plumb::test
