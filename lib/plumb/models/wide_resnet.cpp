/// Wide residual networks WRN-depth-k (Zagoruyko & Komodakis 2016), without dropout.
#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

struct WideResnetOptions {
  int64_t depth = 28;
  int64_t widen_factor = 1;
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("depth", depth, "layers: 6 b + 4 with b = 1, 2, ... blocks in each of the three groups",
            positive);
    f.field("widen_factor", widen_factor, "k: the groups have 16 k, 32 k and 64 k channels", positive);
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

/// conv(relu(norm(conv(relu(norm(x)))))) + shortcut; the shortcut is x, or where the number of channels
/// changes conv 1x1(relu(norm(x))).
class WideResnetBlock final : public torch::nn::Module {
 public:
  WideResnetBlock(int64_t in, int64_t out, int64_t stride) {
    norm1_ = register_module("norm1", torch::nn::BatchNorm2d(in));
    convolution1_ = register_module("convolution1", same_convolution(in, out, 3, stride, false));
    norm2_ = register_module("norm2", torch::nn::BatchNorm2d(out));
    convolution2_ = register_module("convolution2", same_convolution(out, out, 3, 1, false));
    if (in != out) shortcut_ = register_module("shortcut", same_convolution(in, out, 1, stride, false));
  }

  Tensor forward(const Tensor& inputs) {
    const Tensor active = at::relu(norm1_->forward(inputs));
    const Tensor inner = at::relu(norm2_->forward(convolution1_->forward(active)));
    return convolution2_->forward(inner) + (shortcut_.is_empty() ? inputs : shortcut_->forward(active));
  }

 private:
  torch::nn::BatchNorm2d norm1_{nullptr}, norm2_{nullptr};
  torch::nn::Conv2d convolution1_{nullptr}, convolution2_{nullptr}, shortcut_{nullptr};
};

class WideResnet final : public Network {
 public:
  WideResnet(const WideResnetOptions& options, const Signature& signature) {
    stem_ = register_module("stem", same_convolution(signature.input[0], 16, 3, 1, false));
    int64_t in = 16;
    for (const int64_t group : {1, 2, 4}) {
      const int64_t out = 16 * group * options.widen_factor;
      for (int64_t block = 0; block < (options.depth - 4) / 6; ++block, in = out) {
        const std::string name = fmt::format("block{}", blocks_.size() + 1);
        const int64_t stride = group > 1 && block == 0 ? 2 : 1;
        blocks_.push_back(register_module(name, std::make_shared<WideResnetBlock>(in, out, stride)));
      }
    }
    norm_ = register_module("norm", torch::nn::BatchNorm2d(in));
    output_ = register_module("output", torch::nn::Linear(in, signature.outputs));
  }

  Tensor forward(Tensor inputs) override {
    Tensor values = stem_->forward(inputs);
    for (const auto& block : blocks_) values = block->forward(values);
    return output_->forward(at::relu(norm_->forward(values)).mean({2, 3}));
  }

 private:
  torch::nn::Conv2d stem_{nullptr};
  std::vector<std::shared_ptr<WideResnetBlock>> blocks_;
  torch::nn::BatchNorm2d norm_{nullptr};
  torch::nn::Linear output_{nullptr};
};

std::shared_ptr<Network> make_wide_resnet(const WideResnetOptions& options, const Signature& signature,
                                          at::Generator& generator) {
  require_images(signature, 4, "wide_resnet");  // two halvings
  if (options.depth < 10 || (options.depth - 4) % 6 != 0)
    throw ConfigError(
        fmt::format("model wide_resnet: depth {}; 10, 16, 22, 28, ... are possible", options.depth));
  return construct_initialized<WideResnet>(options.initialization, generator, options, signature);
}

}  // namespace

PLUMB_REGISTER(Models, wide_resnet, WideResnetOptions, make_wide_resnet,
               "WRN-depth-k; WRN-28-1 has 369,498 parameters for colour images and 10 classes")

}  // namespace plumb
