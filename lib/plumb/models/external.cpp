#include "plumb/models/external.hpp"

namespace plumb {
namespace {

class WrappedSequential final : public Network {
 public:
  explicit WrappedSequential(torch::nn::Sequential layers)
      : layers_(register_module("layers", std::move(layers))) {}
  Tensor forward(Tensor inputs) override { return layers_->forward(inputs); }

 private:
  torch::nn::Sequential layers_;
};

class WrappedModule final : public Network {
 public:
  explicit WrappedModule(torch::nn::AnyModule module) : module_(std::move(module)) {
    register_module("module", module_.ptr());
  }
  Tensor forward(Tensor inputs) override { return module_.forward(inputs); }

 private:
  torch::nn::AnyModule module_;
};

}  // namespace

std::shared_ptr<Network> wrap(torch::nn::Sequential layers) {
  expects(!layers.is_empty() && !layers->is_empty(), "a network needs at least one layer");
  return std::make_shared<WrappedSequential>(std::move(layers));
}

std::shared_ptr<Network> wrap(torch::nn::AnyModule module) {
  expects(!module.is_empty(), "a network needs a module");
  return std::make_shared<WrappedModule>(std::move(module));
}

}  // namespace plumb
