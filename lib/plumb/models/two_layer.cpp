#include "plumb/models/two_layer.hpp"

#include <cmath>

#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

class TwoLayer final : public Network {
 public:
  TwoLayer(const TwoLayerOptions& options, const Signature& signature)
      : options_(options),
        first_(torch::nn::LinearOptions(signature.input_size(), options.width).bias(options.bias)),
        last_(torch::nn::LinearOptions(options.width, signature.outputs).bias(false)) {
    register_module("first", first_);
    register_module("last", last_);
    const auto m = static_cast<double>(options.width);
    const bool standard = options.parameterization == TwoLayerParameterization::standard;
    const bool mean_field = options.parameterization == TwoLayerParameterization::mean_field;
    scale_ = options.alpha * (standard ? 1 : mean_field ? 1 / m : 1 / std::sqrt(m));
  }

  void draw(at::Generator& generator) {
    const torch::NoGradGuard no_grad;
    const bool standard = options_.parameterization == TwoLayerParameterization::standard;
    const auto d = static_cast<double>(first_->options.in_features());
    const auto m = static_cast<double>(options_.width);
    first_->weight.normal_(0, options_.first_deviation.value_or(standard ? 1 / std::sqrt(d) : 1), generator);
    if (options_.bias) first_->bias.zero_();
    const double deviation = options_.last_deviation.value_or(standard ? 1 / std::sqrt(m) : 1);
    if (options_.output_weights == OutputWeights::gaussian)
      last_->weight.normal_(0, deviation, generator);
    else
      last_->weight.random_(0, 2, generator).mul_(2).sub_(1).mul_(deviation);
    if (options_.antisymmetric) mirror();
  }

  void freeze() {
    if (options_.train == TrainedLayers::last)
      for (auto& parameter : first_->parameters()) parameter.requires_grad_(false);
    if (options_.train == TrainedLayers::first) last_->weight.requires_grad_(false);
  }

  Tensor forward(Tensor inputs) override {
    const Tensor hidden = first_->forward(inputs.flatten(1));
    return last_->forward(activate(hidden, options_.activation, options_.negative_slope)) * scale_;
  }

 private:
  void mirror() {
    const int64_t half = options_.width / 2;
    first_->weight.narrow(0, half, half).copy_(first_->weight.narrow(0, 0, half));
    last_->weight.narrow(1, half, half).copy_(-last_->weight.narrow(1, 0, half));
  }

  TwoLayerOptions options_;
  torch::nn::Linear first_;
  torch::nn::Linear last_;
  double scale_ = 1;
};

}  // namespace

std::shared_ptr<Network> make_two_layer(const TwoLayerOptions& options, const Signature& signature,
                                        at::Generator& generator) {
  require_values(signature, "two_layer");
  if (options.antisymmetric && options.width % 2 != 0)
    throw ConfigError(
        fmt::format("model two_layer: width {}; antisymmetric needs an even one", options.width));
  auto network = construct<TwoLayer>(options, signature);
  network->draw(generator);
  network->freeze();
  return network;
}

PLUMB_REGISTER(Models, two_layer, TwoLayerOptions, make_two_layer,
               "f(x) = s sum_r a_r sigma(w_r.x + b_r), the network of the overparameterization theorems")

}  // namespace plumb
