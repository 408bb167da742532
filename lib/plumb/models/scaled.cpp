// Any network's predictions times alpha: the scale of lazy training (Chizat, Oyallon and Bach 2019). With the
// loss divided by alpha^2, which is to divide the learning rate of a square loss by it, weights move by
// O(1/alpha) and the network approaches its linearized model as alpha grows, if it starts at 0.
#include <cmath>
#include <optional>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include "plumb/models/network.hpp"

namespace plumb {
namespace {

using ScaledChoice = Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)>;

struct ScaledOptions {
  double alpha = 1;
  bool centred = true;
  /// Chosen late: these options are made while the registry of networks is.
  std::optional<ScaledChoice> network;

  void fields(Fields& f) {
    f.field("alpha", alpha, "factor of the predictions", positive);
    f.field(
        "centred", centred,
        "f = alpha (h(w, x) - h(w', x)) / sqrt(2) with a second copy w', equal to w at the start and trained "
        "too: f starts at 0 with the tangent kernel of alpha h; otherwise f = alpha h(w, x)");
    if (!network) network.emplace(models(), "mlp");
    f.component("network", *network, "h");
  }
};

class ScaledNetwork final : public Network {
 public:
  ScaledNetwork(double alpha, std::shared_ptr<Network> network, std::shared_ptr<Network> copy)
      : alpha_(alpha), network_(std::move(network)), copy_(std::move(copy)) {
    register_module("network", network_);
    if (copy_) register_module("copy", copy_);
  }

  Tensor forward(Tensor inputs) override {
    const Tensor h = network_->forward(inputs);
    return copy_ ? (h - copy_->forward(inputs)) * (alpha_ / std::sqrt(2.0)) : h * alpha_;
  }

 private:
  double alpha_;
  std::shared_ptr<Network> network_, copy_;
};

std::shared_ptr<Network> make_scaled(const ScaledOptions& options, const Signature& signature,
                                     at::Generator& generator) {
  const ScaledChoice chosen = options.network ? *options.network : ScaledChoice(models(), "mlp");
  std::shared_ptr<Network> network = chosen.make(signature, generator), copy;
  if (options.centred) {
    // A clone() of LibTorch 1.13 is never freed.
    at::Generator same = at::make_generator<at::CPUGeneratorImpl>();
    same.set_state(generator.get_state());
    copy = chosen.make(signature, same);
    const torch::NoGradGuard no_grad;
    for (auto& item : copy->named_parameters()) item.value().copy_(network->named_parameters()[item.key()]);
    for (auto& item : copy->named_buffers()) item.value().copy_(network->named_buffers()[item.key()]);
  }
  return std::make_shared<ScaledNetwork>(options.alpha, std::move(network), std::move(copy));
}

}  // namespace

PLUMB_REGISTER(
    Models, scaled, ScaledOptions, make_scaled,
    "another network's predictions times alpha, centred at its start: lazy training (Chizat, Oyallon, "
    "Bach 2019)")

}  // namespace plumb
