/// The small AlexNet of Zhang et al. (ICLR 2017), appendix A. Channels and normalization constants, which the
/// paper leaves open, are those of the TensorFlow CIFAR-10 tutorial: they give the published parameter count.
#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

struct SmallAlexnetOptions {
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

/// x_c / (1 + 1e-3/9 sum of x_j^2 over the channels j within 4 of c)^(3/4), Krizhevsky et al. 2012: the
/// values of torch::nn::LocalResponseNorm(9, alpha 1e-3, beta 0.75, k 1) at a third of its cost, which was a
/// quarter of training this network. The sum over channels is a 1x1 convolution with a band matrix, the power
/// two square roots.
class AlexnetResponseNorm final : public torch::nn::Module {
 public:
  explicit AlexnetResponseNorm(int64_t channels) {
    const Tensor channel = at::arange(channels);
    const Tensor near = (channel.unsqueeze(0) - channel.unsqueeze(1)).abs() <= 4;
    band_ = register_buffer("band", near.to(at::kFloat).view({channels, channels, 1, 1}));
  }

  Tensor forward(const Tensor& inputs) {
    const Tensor sum = at::conv2d(inputs * inputs, band_);
    const Tensor root = at::rsqrt(at::add(at::scalar_tensor(1, sum.options()), sum, 1e-3 / 9));
    return inputs * (root * root.sqrt());
  }

 private:
  Tensor band_;
};

/// Twice convolution 5x5, ReLU, maximum 3x3 of stride 2, local response normalization; then 384, 192 and the
/// outputs.
class SmallAlexnet final : public Network {
 public:
  explicit SmallAlexnet(const Signature& signature) {
    constexpr int64_t channels = 64;
    convolution1_ = register_module("convolution1", same_convolution(signature.input[0], channels, 5));
    convolution2_ = register_module("convolution2", same_convolution(channels, channels, 5));
    pool_ =
        register_module("pool", torch::nn::MaxPool2d(torch::nn::MaxPool2dOptions(3).stride(2).padding(1)));
    norm_ = register_module("norm", std::make_shared<AlexnetResponseNorm>(channels));
    const auto quarter = [](int64_t side) { return (side + 3) / 4; };
    const int64_t values = channels * quarter(signature.input[1]) * quarter(signature.input[2]);
    hidden1_ = register_module("hidden1", torch::nn::Linear(values, 384));
    hidden2_ = register_module("hidden2", torch::nn::Linear(384, 192));
    output_ = register_module("output", torch::nn::Linear(192, signature.outputs));
  }

  Tensor forward(Tensor inputs) override {
    Tensor values = norm_->forward(pool_->forward(at::relu(convolution1_->forward(inputs))));
    values = norm_->forward(pool_->forward(at::relu(convolution2_->forward(values))));
    values = at::relu(hidden1_->forward(values.flatten(1)));
    return output_->forward(at::relu(hidden2_->forward(values)));
  }

 private:
  torch::nn::Conv2d convolution1_{nullptr}, convolution2_{nullptr};
  torch::nn::MaxPool2d pool_{nullptr};
  std::shared_ptr<AlexnetResponseNorm> norm_;
  torch::nn::Linear hidden1_{nullptr}, hidden2_{nullptr}, output_{nullptr};
};

std::shared_ptr<Network> make_small_alexnet(const SmallAlexnetOptions& options, const Signature& signature,
                                            at::Generator& generator) {
  require_images(signature, 4, "small_alexnet");
  return construct_initialized<SmallAlexnet>(options.initialization, generator, signature);
}

}  // namespace

PLUMB_REGISTER(Models, small_alexnet, SmallAlexnetOptions, make_small_alexnet,
               "small AlexNet of Zhang et al. (2017); 1,387,786 parameters for 28 x 28 colour images")

}  // namespace plumb
