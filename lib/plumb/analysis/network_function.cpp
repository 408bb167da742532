#include "plumb/analysis/network_function.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

bool is_training_batch_norm(const torch::nn::Module& module) {
  const auto couples = [](const auto* norm) {
    return norm != nullptr && (norm->is_training() || !norm->options.track_running_stats());
  };
  return couples(dynamic_cast<const torch::nn::BatchNorm1dImpl*>(&module)) ||
         couples(dynamic_cast<const torch::nn::BatchNorm2dImpl*>(&module)) ||
         couples(dynamic_cast<const torch::nn::BatchNorm3dImpl*>(&module));
}

bool draws_noise(const torch::nn::Module& module) {
  const auto drops = [&](const auto* dropout) {
    return dropout != nullptr && dropout->is_training() && dropout->options.p() > 0;
  };
  return drops(dynamic_cast<const torch::nn::DropoutImpl*>(&module)) ||
         drops(dynamic_cast<const torch::nn::Dropout2dImpl*>(&module)) ||
         drops(dynamic_cast<const torch::nn::Dropout3dImpl*>(&module)) ||
         drops(dynamic_cast<const torch::nn::AlphaDropoutImpl*>(&module)) ||
         drops(dynamic_cast<const torch::nn::FeatureAlphaDropoutImpl*>(&module));
}

/// Sums may be ordered differently for another batch size: |a - b| up to this share of the predictions is
/// rounding; noise or coupling is far above it.
double allowed_difference(at::ScalarType dtype) {
  return dtype == at::kDouble ? 2e-12 : dtype == at::kFloat ? 1.2e-3 : 0.1;
}

bool differ(const Tensor& a, const Tensor& b) {
  const double scale = std::max(a.abs().max().item<double>(), 1e-30);
  return (a - b).abs().max().item<double>() > allowed_difference(a.scalar_type()) * scale;
}

}  // namespace

NetworkFunction::NetworkFunction(Network& network)
    : NetworkFunction(network, [&network](const Tensor& inputs) { return network.forward(inputs); }) {}

NetworkFunction::NetworkFunction(torch::nn::Module& module, Forward forward)
    : module_(&module), forward_(std::move(forward)) {
  for (const auto& item : module.named_parameters()) {
    const bool seen = std::any_of(parameters_.begin(), parameters_.end(),
                                  [&](const Tensor& other) { return other.is_same(item.value()); });
    if (!item.value().requires_grad() || seen) continue;
    names_.push_back(item.key());
    parameters_.push_back(item.value());
  }
}

NetworkFunction NetworkFunction::restricted(const std::vector<std::string>& names) const {
  NetworkFunction part = *this;
  part.findings_ = std::make_shared<FunctionFindings>();
  part.findings_->examples_alone = findings_->examples_alone;
  part.names_.clear();
  part.parameters_.clear();
  std::vector<bool> used(names.size(), false);
  std::vector<std::string> known;
  for (const auto& item : module_->named_parameters()) {
    known.push_back(item.key());
    bool wanted = false;
    for (size_t i = 0; i < names.size(); ++i) {
      if (item.key() != names[i] && !item.key().starts_with(names[i] + ".")) continue;
      wanted = used[i] = true;
    }
    const bool seen = std::any_of(part.parameters_.begin(), part.parameters_.end(),
                                  [&](const Tensor& other) { return other.is_same(item.value()); });
    if (!wanted || seen) continue;
    part.names_.push_back(item.key());
    part.parameters_.push_back(item.value());
  }
  for (size_t i = 0; i < names.size(); ++i)
    expects(used[i], "no parameter is called '{}'; known: {}", names[i], fmt::join(known, ", "));
  return part;
}

Tensor NetworkFunction::operator()(const Tensor& inputs) const {
  expects(inputs.dim() >= 1 && inputs.size(0) > 0, "the batch of inputs is empty");
  if (!parameters_.empty()) {
    const Tensor& parameter = parameters_.front();
    expects(inputs.device() == parameter.device(), "inputs are on {}, the network's parameters on {}",
            inputs.device().str(), parameter.device().str());
    expects(!inputs.is_floating_point() || inputs.scalar_type() == parameter.scalar_type(),
            "inputs are {}, the network's parameters {}", c10::toString(inputs.scalar_type()),
            c10::toString(parameter.scalar_type()));
  }
  const Tensor outputs = forward_(inputs);
  expects(outputs.dim() == 2 && outputs.size(0) == inputs.size(0),
          "the network maps {} examples to a tensor of shape {}; (n, c) is needed", inputs.size(0),
          fmt::join(outputs.sizes(), " x "));
  return outputs;
}

int64_t NetworkFunction::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters_) count += parameter.numel();
  return count;
}

void NetworkFunction::check(const Tensor& inputs) const {
  check_parameters();
  check_examples(inputs);
}

void NetworkFunction::check(const Tensor& inputs, const Tensor& predictions) const {
  check_parameters();
  const at::NoGradGuard no_grad;
  check_finite(predictions);
  std::vector<bool> now = modes();
  if (findings_->examples_alone == now) return;
  const Tensor alone = (*this)(inputs.slice(0, 0, 1));
  if (differ(predictions.slice(0, 0, 1), alone)) check_examples(inputs);
  if (inputs.size(0) > 1) findings_->examples_alone = std::move(now);
}

std::vector<bool> NetworkFunction::modes() const {
  std::vector<bool> modes;
  for (const auto& module : module_->modules()) modes.push_back(module->is_training());
  return modes;
}

void NetworkFunction::check_parameters() const {
  expects(parameter_count() > 0, "the network has no parameters to differentiate by");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor &parameter = parameters_[i], &first = parameters_.front();
    expects(parameter.is_floating_point(), "parameter {} is {}; a real floating dtype is needed", names_[i],
            c10::toString(parameter.scalar_type()));
    expects(parameter.scalar_type() == first.scalar_type(),
            "parameter {} is {}, parameter {} is {}; one dtype is needed", names_[i],
            c10::toString(parameter.scalar_type()), names_.front(), c10::toString(first.scalar_type()));
    expects(parameter.device() == first.device(),
            "parameter {} is on {}, parameter {} on {}; one device is needed", names_[i],
            parameter.device().str(), names_.front(), first.device().str());
  }
  check_modules();
}

void NetworkFunction::check_modules() const {
  for (const auto& item : module_->named_modules()) {
    const auto& module = *item.value();
    expects(!is_training_batch_norm(module),
            "layer {} ({}) normalizes by the batch, which couples its examples; call eval() first",
            item.key(), module.name());
    expects(!draws_noise(module), "layer {} ({}) drops units at random; call eval() first", item.key(),
            module.name());
  }
}

void NetworkFunction::check_finite(const Tensor& predictions) const {
  if (predictions.isfinite().all().item<bool>()) return;
  for (size_t i = 0; i < parameters_.size(); ++i)
    expects(parameters_[i].isfinite().all().item<bool>(), "parameter {} holds numbers that are not finite",
            names_[i]);
  expects(false, "the network's predictions are not finite");
}

void NetworkFunction::check_examples(const Tensor& inputs) const {
  const at::NoGradGuard no_grad;
  expects(inputs.dim() >= 1 && inputs.size(0) > 0, "the batch of inputs is empty");
  const Tensor some = inputs.slice(0, 0, std::min<int64_t>(3, inputs.size(0)));
  const Tensor outputs = (*this)(some);
  check_finite(outputs);
  expects(!differ(outputs, (*this)(some)),
          "the network's predictions change from one call to the next; is noise drawn in forward?");
  if (some.size(0) == 1 || !differ(outputs.slice(0, 0, 1), (*this)(some.slice(0, 0, 1)))) return;
  // Predictions that are differences of much larger numbers (centred ones, scaled up) round far above their
  // own size: the derivative decides, which rounding cannot make differ from 0.
  expects(has_no_derivative_by_others(some),
          "the network's prediction for an example depends on the rest of the batch");
}

bool NetworkFunction::has_no_derivative_by_others(const Tensor& inputs) const {
  if (!inputs.is_floating_point()) return false;
  const at::AutoGradMode on(true);
  const Tensor examples = inputs.detach().clone().requires_grad_();
  const Tensor outputs = (*this)(examples);
  if (!outputs.requires_grad()) return false;
  const auto gradient = torch::autograd::grad({outputs[0].sum()}, {examples}, {}, false, false, true)[0];
  return gradient.defined() && gradient.slice(0, 1).count_nonzero().item<int64_t>() == 0;
}

NetworkFunction::Differentiation::Differentiation(const NetworkFunction& function)
    : grad_mode_(at::GradMode::is_enabled()) {
  const auto set = [&](Tensor parameter, bool wanted) {
    if (parameter.requires_grad() == wanted || !parameter.is_leaf()) return;
    parameter.set_requires_grad(wanted);
    changed_.push_back(parameter);
  };
  for (const Tensor& parameter : function.module_->parameters()) {
    const bool wanted = std::any_of(function.parameters_.begin(), function.parameters_.end(),
                                    [&](const Tensor& chosen) { return chosen.is_same(parameter); });
    set(parameter, wanted);
  }
  at::GradMode::set_enabled(true);
}

NetworkFunction::Differentiation::~Differentiation() {
  at::GradMode::set_enabled(grad_mode_);
  for (Tensor& parameter : changed_) parameter.set_requires_grad(!parameter.requires_grad());
}

}  // namespace plumb
