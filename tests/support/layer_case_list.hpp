/// How the lists of networks.hpp are written down.
#pragma once

#include <algorithm>

#include "support/networks.hpp"
#include <torch/torch.h>

#include "plumb/core/random.hpp"

namespace plumb::test {

/// Collects cases: make the modules with `part` and `parameter`, then `add` the network made of them.
class LayerCaseList {
 public:
  /// A stock module of the next case.
  template <class Holder>
  Holder part(Holder module) {
    return module_->register_module("part" + std::to_string(parts_++), module);
  }

  /// A parameter of the next case that belongs to no stock module.
  Tensor parameter(std::vector<int64_t> sizes) {
    return module_->register_parameter("parameter" + std::to_string(parts_++),
                                       torch::zeros(sizes, torch::kDouble));
  }

  /// Draws all numbers and adds the case with inputs of these sizes.
  void add(const std::string& name, std::vector<int64_t> sizes,
           std::function<Tensor(const Tensor&)> forward) {
    add_with(name, torch::randn(sizes, generator(name + " inputs"), torch::kDouble), std::move(forward));
  }

  /// With inputs of n sequences of `length` tokens below `count`, where some occur twice in a sequence.
  void add_tokens(const std::string& name, int64_t n, int64_t length, int64_t count,
                  std::function<Tensor(const Tensor&)> forward) {
    add_with(name, torch::randint(count, {n, length}, generator(name + " inputs"), torch::kLong),
             std::move(forward));
  }

  std::vector<LayerCase> take() { return std::move(cases_); }

 private:
  static at::Generator generator(const std::string& purpose) { return Seed(20).stream(purpose); }

  void add_with(const std::string& name, const Tensor& inputs, std::function<Tensor(const Tensor&)> forward) {
    const torch::NoGradGuard no_graph;
    at::Generator weights = generator(name);
    module_->to(torch::kDouble);
    module_->eval();
    for (Tensor& parameter : module_->parameters()) {
      const auto fan_in = parameter.dim() > 1 ? static_cast<double>(parameter[0].numel()) : 1.0;
      // Scales are around 1, as in normalization, biases too: nothing is zero by accident.
      parameter.copy_(torch::randn(parameter.sizes(), weights, torch::kDouble) / std::sqrt(fan_in));
      if (parameter.dim() <= 1) parameter.mul_(0.3).add_(0.8);
    }
    for (Tensor& buffer : module_->buffers())
      if (buffer.is_floating_point())
        buffer.copy_(0.5 + torch::rand(buffer.sizes(), weights, torch::kDouble));
    cases_.push_back({name, module_, std::move(forward), inputs});
    module_ = std::make_shared<torch::nn::Module>();
    parts_ = 0;
  }

  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  int parts_ = 0;
  std::vector<LayerCase> cases_;
};

}  // namespace plumb::test
