/// The seeded choices and numbers that a random network is made of.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "plumb/core/random.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb::test {

using Sizes = std::vector<int64_t>;
using Layer = std::function<Tensor(const Tensor&)>;
/// A matrix or vector made of parameters, anew in each forward pass.
using Weight = std::function<Tensor()>;

/// What a seed says. Structure and numbers come from two streams, and every number is one of float32, so that
/// the network of a seed has the same weights in float32 and in float64.
class Draw {
 public:
  Draw(uint64_t seed, at::ScalarType numbers)
      : dtype(numbers), state_(Seed(seed).derive("structure")), numbers_(Seed(seed).stream("numbers")) {}

  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int64_t between(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double share) { return static_cast<double>(bits() >> 11) * 0x1p-53 < share; }
  template <class T>
  T one_of(const std::vector<T>& values) {
    return values[bits() % values.size()];
  }

  /// A number of features or rows, often the number of examples: sizes that agree by accident are confused.
  int64_t width(int64_t low = 2, int64_t high = 6) {
    if (n >= low && n <= high + 3 && chance(0.35)) return n;
    return between(low, high);
  }

  Tensor normal(const Sizes& sizes) { return torch::randn(sizes, numbers_, torch::kFloat).to(dtype); }
  Tensor uniform(const Sizes& sizes) { return torch::rand(sizes, numbers_, torch::kFloat).to(dtype); }
  Tensor integers(int64_t below, const Sizes& sizes) {
    return torch::randint(below, sizes, numbers_, torch::kLong);
  }
  Tensor permutation(int64_t size) { return torch::randperm(size, numbers_, torch::kLong); }

  /// A new parameter: matrices of about unit gain, vectors around 0.8. Some are views, or frozen.
  Tensor parameter(const Sizes& sizes);
  /// The same of the given values.
  Tensor parameter_of(const Tensor& values);
  /// A parameter that predictions will not depend on; its name goes to `unused`.
  Tensor idle_parameter(const Sizes& sizes);
  /// A stock module with new numbers, registered.
  template <class Holder>
  Holder part(Holder holder) {
    module->register_module("m" + std::to_string(count_++), holder);
    fill(*holder);
    return holder;
  }
  /// A parameter of these sizes that is in use already, or null.
  std::optional<Tensor> known(const Sizes& sizes);

  void say(const std::string& text) {
    if (!description.empty()) description += ", ";
    description += text;
  }

  std::shared_ptr<torch::nn::Module> module = std::make_shared<torch::nn::Module>();
  at::ScalarType dtype;
  int64_t n = 1, c = 1;
  std::string description;
  bool flat = false;       // parameters are views of one buffer
  bool smooth = true;      // finite differences agree with autograd: nothing is detached, no memory is shared
  bool refusable = false;  // there are rules of the gradient that a batch changes; a refusal is right, too
  std::vector<std::string> unused;  // names of parameters without a part in the predictions

 private:
  Tensor values(const Sizes& sizes);
  void fill(torch::nn::Module& part);
  Tensor laid_out(const Tensor& values);

  uint64_t state_;
  at::Generator numbers_;
  int count_ = 0;
  std::vector<Tensor> parameters_;
  Tensor buffer_;
  int64_t taken_ = 0;
};

/// One way of doing something, with how often it is taken.
template <class Function>
struct Way {
  double weight;
  Function make;
};

template <class Function>
const Function& choose(Draw& draw, const std::vector<Way<Function>>& ways) {
  double sum = 0;
  for (const auto& way : ways) sum += way.weight;
  double rest = static_cast<double>(draw.bits() >> 11) * 0x1p-53 * sum;
  for (const auto& way : ways)
    if ((rest -= way.weight) < 0) return way.make;
  return ways.back().make;
}

}  // namespace plumb::test
