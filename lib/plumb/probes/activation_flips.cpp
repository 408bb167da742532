// Which hidden units are active on which examples, and how many of these signs changed since the start. As
// long as none does, a ReLU network is linear in its weights around w(0); the proofs for wide networks count
// the flips (Du et al. 2019; Oymak and Soltanolkotabi 2020).
//
// The signs are read from the autograd graph of an ordinary forward pass, where each ReLU, leaky ReLU or
// threshold has saved its input or its result: the network need not be written for it. A leaky ReLU's result
// has the sign of its input as long as its slope is positive, which its in-place form demands.
#include <algorithm>
#include <unordered_set>

#include <torch/csrc/autograd/generated/Functions.h>
#include <torch/torch.h>

#include "plumb/core/compat.hpp"
#include "plumb/probes/probe.hpp"
#include "plumb/probes/probe_check.hpp"

namespace plumb {
namespace {

namespace nodes = torch::autograd::generated;
using torch::autograd::Node;

struct ActivationFlipsOptions : ProbeSetOptions {};

/// (n, ...) bool: where the units of one activation are positive; undefined when the node is no activation.
Tensor active_units(const NodePointer& node) {
  if (const auto* relu = dynamic_cast<nodes::ReluBackward0*>(node.get()))
    return relu->result_.unpack(node).gt(0);
  if (const auto* leaky = dynamic_cast<nodes::LeakyReluBackward0*>(node.get()))
    return leaky->self_.unpack().gt(0);
  if (const auto* leaky = dynamic_cast<nodes::LeakyReluBackward1*>(node.get()))
    return leaky->result_.unpack(node).gt(0);
  if (auto* threshold = dynamic_cast<nodes::ThresholdBackward0*>(node.get()))
    return threshold->self_.unpack().gt(threshold->threshold);
  return {};
}

/// Every activation on the way to `outputs`, in the order of the forward pass.
std::vector<Tensor> active_units_of(const Tensor& outputs) {
  std::vector<NodePointer> found{outputs.grad_fn()};
  std::unordered_set<Node*> seen{found.front().get()};
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i] == nullptr) continue;
    for (const auto& edge : found[i]->next_edges())
      if (edge.function && seen.insert(edge.function.get()).second) found.push_back(edge.function);
  }
  std::erase(found, nullptr);
  std::sort(found.begin(), found.end(),
            [](const auto& left, const auto& right) { return left->sequence_nr() < right->sequence_nr(); });
  std::vector<Tensor> activations;
  for (const auto& node : found)
    if (Tensor active = active_units(node); active.defined()) activations.push_back(std::move(active));
  return activations;
}

std::vector<Tensor> signs_of(const Moment& moment, const ProbeSet& set) {
  const at::AutoGradMode grad_mode(true);
  // Inputs that require gradients make the graph reach activations before the first trainable parameter, too.
  const Tensor inputs = set.inputs.detach().requires_grad_(set.inputs.is_floating_point());
  return active_units_of(moment.network.forward(inputs));
}

class ActivationFlips final : public ProbeOnSet<ActivationFlipsOptions>, public Demanding {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {{"flipped",
             "fraction of (hidden unit, example) pairs whose sign is not that of step 0; units behind ReLU, "
             "leaky ReLU or threshold; nan when the network has none",
             ColumnFigure{"Changed activation signs", "fraction changed since the start", false,
                          "Pairs of a hidden unit and an example of the probe set whose sign is not that of "
                          "step 0."}},
            {"active", "fraction of these pairs with a positive input to the activation"},
            {"dead", "fraction of hidden units that are active on no example of the probe set"}};
  }
  std::string obstacle(const Moment& moment, const ProbeSet& set) override {
    return signs_of(moment, set).empty() ? "has no ReLU, leaky ReLU or threshold, whose signs it counts" : "";
  }
  std::vector<std::string> layer_columns(const Moment& moment, const ProbeSet& set) override {
    std::vector<std::string> names;
    for (size_t i = 0; i < signs_of(moment, set).size(); ++i)
      names.push_back(fmt::format("flipped:activation{}", i + 1));
    return names;
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const std::vector<Tensor> signs = signs_of(moment, set);
    if (moment.step == 0) start_ = signs;
    expects(signs.size() == start_.size(), "the network had {} activations at step 0 and has {} at step {}",
            start_.size(), signs.size(), moment.step);
    std::vector<double> layers;
    double flipped = 0, active = 0, pairs = 0, dead = 0, units = 0;
    for (size_t i = 0; i < signs.size(); ++i) {
      const double flips = signs[i].ne(start_[i]).sum().item<double>();
      layers.push_back(flips / static_cast<double>(signs[i].numel()));
      flipped += flips;
      active += signs[i].sum().item<double>();
      pairs += static_cast<double>(signs[i].numel());
      const Tensor ever = signs[i].any(0);
      dead += ever.logical_not().sum().item<double>();
      units += static_cast<double>(ever.numel());
    }
    const auto part = [](double count, double all) { return all > 0 ? count / all : not_defined; };
    Measurement measured{{part(flipped, pairs), part(active, pairs), part(dead, units)}, {}};
    measured.values.insert(measured.values.end(), layers.begin(), layers.end());
    return measured;
  }

  Archive state() const override { return save_list(start_); }
  void load(const Archive& archive, const at::Device& device) override {
    start_ = load_list(archive, device);
  }

 private:
  std::vector<Tensor> start_;  // the signs at step 0
};

std::unique_ptr<Probe> make_activation_flips(const ActivationFlipsOptions& options) {
  return std::make_unique<ActivationFlips>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, activation_flips, ActivationFlipsOptions, make_activation_flips,
    "fraction of the signs of hidden units that changed since the start, active and dead units; for "
    "networks with ReLU, leaky ReLU or threshold")

}  // namespace plumb
