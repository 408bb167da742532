/// ResNet-18 (He et al. 2016) in the form usual for CIFAR: a 3x3 stem of stride 1 and no pooling before the
/// blocks.
#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

struct Resnet18Options {
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

/// relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)); the shortcut is x, or norm(conv 1x1(x)) where the
/// shape changes.
class Resnet18Block final : public torch::nn::Module {
 public:
  Resnet18Block(int64_t in, int64_t out, int64_t stride) {
    convolution1_ = register_module("convolution1", same_convolution(in, out, 3, stride, false));
    norm1_ = register_module("norm1", torch::nn::BatchNorm2d(out));
    convolution2_ = register_module("convolution2", same_convolution(out, out, 3, 1, false));
    norm2_ = register_module("norm2", torch::nn::BatchNorm2d(out));
    if (in == out && stride == 1) return;
    shortcut_ = register_module("shortcut", same_convolution(in, out, 1, stride, false));
    shortcut_norm_ = register_module("shortcut_norm", torch::nn::BatchNorm2d(out));
  }

  Tensor forward(const Tensor& inputs) {
    const Tensor inner = at::relu(norm1_->forward(convolution1_->forward(inputs)));
    const Tensor values = norm2_->forward(convolution2_->forward(inner));
    if (shortcut_.is_empty()) return at::relu(values + inputs);
    return at::relu(values + shortcut_norm_->forward(shortcut_->forward(inputs)));
  }

 private:
  torch::nn::Conv2d convolution1_{nullptr}, convolution2_{nullptr}, shortcut_{nullptr};
  torch::nn::BatchNorm2d norm1_{nullptr}, norm2_{nullptr}, shortcut_norm_{nullptr};
};

class Resnet18 final : public Network {
 public:
  explicit Resnet18(const Signature& signature) {
    stem_ = register_module("stem", same_convolution(signature.input[0], 64, 3, 1, false));
    norm_ = register_module("norm", torch::nn::BatchNorm2d(64));
    int64_t in = 64;
    for (const int64_t out : {64, 128, 256, 512}) {
      for (const int64_t stride : {out == 64 ? 1 : 2, 1}) {
        const std::string name = fmt::format("block{}", blocks_.size() + 1);
        blocks_.push_back(register_module(name, std::make_shared<Resnet18Block>(in, out, stride)));
        in = out;
      }
    }
    output_ = register_module("output", torch::nn::Linear(in, signature.outputs));
  }

  Tensor forward(Tensor inputs) override {
    Tensor values = at::relu(norm_->forward(stem_->forward(inputs)));
    for (const auto& block : blocks_) values = block->forward(values);
    return output_->forward(values.mean({2, 3}));
  }

 private:
  torch::nn::Conv2d stem_{nullptr};
  torch::nn::BatchNorm2d norm_{nullptr};
  std::vector<std::shared_ptr<Resnet18Block>> blocks_;
  torch::nn::Linear output_{nullptr};
};

std::shared_ptr<Network> make_resnet18(const Resnet18Options& options, const Signature& signature,
                                       at::Generator& generator) {
  require_images(signature, 8, "resnet18");  // three halvings
  return construct_initialized<Resnet18>(options.initialization, generator, signature);
}

}  // namespace

PLUMB_REGISTER(Models, resnet18, Resnet18Options, make_resnet18,
               "ResNet-18 for small images; 11,173,962 parameters for colour images and 10 classes")

}  // namespace plumb
