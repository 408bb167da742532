/// The small Inception of Zhang et al. (ICLR 2017), appendix A, figure 3.
#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

struct SmallInceptionOptions {
  bool batch_norm = true;
  bool affine = false;
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("batch_norm", batch_norm, "whether batch normalization follows each convolution");
    f.field("affine", affine,
            "whether batch normalization has a trained scale and shift; not in the published count");
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

/// Convolution with bias, batch normalization, ReLU.
class InceptionConvolution final : public torch::nn::Module {
 public:
  InceptionConvolution(const SmallInceptionOptions& options, int64_t in, int64_t out, int64_t kernel,
                       int64_t stride)
      : convolution_(register_module("convolution", same_convolution(in, out, kernel, stride))) {
    if (!options.batch_norm) return;
    const auto norm = torch::nn::BatchNormOptions(out).affine(options.affine);
    norm_ = register_module("norm", torch::nn::BatchNorm2d(norm));
  }

  Tensor forward(const Tensor& inputs) {
    const Tensor values = convolution_->forward(inputs);
    return at::relu(norm_.is_empty() ? values : norm_->forward(values));
  }

 private:
  torch::nn::Conv2d convolution_;
  torch::nn::BatchNorm2d norm_{nullptr};
};

/// Two branches side by side: convolutions 1x1 and 3x3, or a 3x3 convolution and a 3x3 maximum, both of
/// stride 2.
class InceptionBlock final : public torch::nn::Module {
 public:
  /// `narrow` channels of 1x1 convolution; 0: the maximum instead.
  InceptionBlock(const SmallInceptionOptions& options, int64_t in, int64_t narrow, int64_t wide)
      : outputs((narrow > 0 ? narrow : in) + wide) {
    if (narrow > 0)
      narrow_ =
          register_module("branch_1x1", std::make_shared<InceptionConvolution>(options, in, narrow, 1, 1));
    wide_ = register_module("branch_3x3",
                            std::make_shared<InceptionConvolution>(options, in, wide, 3, narrow > 0 ? 1 : 2));
    if (narrow == 0)
      pool_ =
          register_module("pool", torch::nn::MaxPool2d(torch::nn::MaxPool2dOptions(3).stride(2).padding(1)));
  }

  Tensor forward(const Tensor& inputs) {
    const Tensor wide = wide_->forward(inputs);
    if (narrow_) return at::cat({narrow_->forward(inputs), wide}, 1);
    return at::cat({wide, pool_->forward(inputs)}, 1);
  }

  const int64_t outputs;

 private:
  std::shared_ptr<InceptionConvolution> narrow_, wide_;
  torch::nn::MaxPool2d pool_{nullptr};
};

class SmallInception final : public Network {
 public:
  SmallInception(const SmallInceptionOptions& options, const Signature& signature)
      : stem_(register_module(
            "stem", std::make_shared<InceptionConvolution>(options, signature.input[0], 96, 3, 1))) {
    constexpr int64_t channels[][2] = {{32, 32}, {32, 48}, {0, 80}, {112, 48},  {96, 64},
                                       {80, 80}, {48, 96}, {0, 96}, {176, 160}, {176, 160}};
    int64_t in = 96;
    for (const auto& [narrow, wide] : channels) {
      const std::string name = fmt::format("block{}", blocks_.size() + 1);
      blocks_.push_back(register_module(name, std::make_shared<InceptionBlock>(options, in, narrow, wide)));
      in = blocks_.back()->outputs;
    }
    output_ = register_module("output", torch::nn::Linear(in, signature.outputs));
  }

  Tensor forward(Tensor inputs) override {
    Tensor values = stem_->forward(inputs);
    for (const auto& block : blocks_) values = block->forward(values);
    return output_->forward(values.mean({2, 3}));
  }

 private:
  std::shared_ptr<InceptionConvolution> stem_;
  std::vector<std::shared_ptr<InceptionBlock>> blocks_;
  torch::nn::Linear output_{nullptr};
};

std::shared_ptr<Network> make_small_inception(const SmallInceptionOptions& options,
                                              const Signature& signature, at::Generator& generator) {
  require_images(signature, 4,
                 "small_inception");  // the last blocks then see at least one pixel that is no padding
  return construct_initialized<SmallInception>(options.initialization, generator, options, signature);
}

}  // namespace

PLUMB_REGISTER(Models, small_inception, SmallInceptionOptions, make_small_inception,
               "small Inception of Zhang et al. (2017); 1,649,402 parameters for 28 x 28 colour images")

}  // namespace plumb
