#include "plumb/models/mlp.hpp"

#include <cmath>

#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

namespace plumb {
namespace {

class Mlp final : public Network {
 public:
  Mlp(const MlpOptions& options, const std::vector<int64_t>& widths, const Signature& signature)
      : options_(options) {
    int64_t size = signature.input_size();
    for (size_t i = 0; i < widths.size(); size = widths[i++])
      add(fmt::format("hidden{}", i + 1), size, widths[i]);
    add("output", size, signature.outputs);
  }

  /// Draws every W from N(0, 1), in the order of initialize(), and puts the deviation W had into the layers.
  void use_ntk(at::Generator& generator) {
    const torch::NoGradGuard no_grad;
    const double gain = options_.initialization == Initialization::he_normal ? std::sqrt(2.0) : 1.0;
    for (auto& layer : layers_) {
      layer.linear->weight.normal_(0, 1, generator);
      if (options_.bias) layer.linear->bias.zero_();
      layer.scale = gain / std::sqrt(static_cast<double>(layer.linear->options.in_features()));
    }
  }

  Tensor forward(Tensor inputs) override {
    Tensor values = inputs.flatten(1);
    for (size_t i = 0; i < layers_.size(); ++i) {
      auto& [linear, scale] = layers_[i];
      values = linear->forward(scale == 1 ? values : values * scale);
      if (i + 1 < layers_.size()) values = activate(values, options_.activation, options_.negative_slope);
    }
    return values;
  }

 private:
  struct Layer {
    torch::nn::Linear linear;
    double scale =
        1;  // of what the layer reads: the weights stay leaves, so autograd sees an ordinary linear layer
  };

  void add(const std::string& name, int64_t in, int64_t out) {
    const torch::nn::Linear linear(torch::nn::LinearOptions(in, out).bias(options_.bias));
    layers_.push_back({register_module(name, linear)});
  }

  MlpOptions options_;
  std::vector<Layer> layers_;
};

}  // namespace

std::shared_ptr<Network> make_mlp(const MlpOptions& options, const Signature& signature,
                                  at::Generator& generator) {
  const std::vector<int64_t> widths(static_cast<size_t>(options.depth), options.width);
  return make_mlp_of_widths(options, widths, signature, generator);
}

std::shared_ptr<Network> make_mlp_of_widths(const MlpOptions& options, const std::vector<int64_t>& widths,
                                            const Signature& signature, at::Generator& generator) {
  require_values(signature, "mlp");
  if (options.parameterization == MlpParameterization::standard)
    return construct_initialized<Mlp>(options.initialization, generator, options, widths, signature);
  const Initialization kind = options.initialization;
  if (kind != Initialization::he_normal && kind != Initialization::lecun_normal)
    throw ConfigError(
        fmt::format("model mlp: parameterization ntk with initialization {}; he_normal or lecun_normal",
                    initialization_names.at(static_cast<size_t>(kind))));
  auto network = construct<Mlp>(options, widths, signature);
  network->use_ntk(generator);
  return network;
}

PLUMB_REGISTER(Models, mlp, MlpOptions, make_mlp, "fully connected network of any width and depth")

}  // namespace plumb
