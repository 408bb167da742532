#include "plumb/analysis/network_function.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/analysis/coupling.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/mended_operators.hpp"
#include "plumb/models/parameters.hpp"

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

/// The states of LibTorch's own generators that a forward pass on a device could draw from.
class GeneratorWatch {
 public:
  explicit GeneratorWatch(const at::Device& device)
      : device_(device), cpu_before_(cpu_state()), device_before_(device_state()) {}

  bool has_drawn() const {
    const CpuState now = cpu_state();
    if (now.next_float != cpu_before_.next_float || now.next_double != cpu_before_.next_double ||
        now.engine.next_ != cpu_before_.engine.next_ || now.engine.left_ != cpu_before_.engine.left_ ||
        now.engine.seed_ != cpu_before_.engine.seed_ || now.engine.state_ != cpu_before_.engine.state_)
      return true;
    return device_before_.defined() && !device_state().equal(device_before_);
  }

 private:
  /// What Generator::get_state packs into a tensor, which takes longer than a small network's forward pass.
  struct CpuState {
    at::mt19937_data_pod engine;
    decltype(std::declval<at::CPUGeneratorImpl>().next_float_normal_sample()) next_float;
    decltype(std::declval<at::CPUGeneratorImpl>().next_double_normal_sample()) next_double;
  };

  static CpuState cpu_state() {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard<std::mutex> lock(generator.mutex());
    auto* cpu = generator.get<at::CPUGeneratorImpl>();
    return {cpu->engine().data(), cpu->next_float_normal_sample(), cpu->next_double_normal_sample()};
  }

  Tensor device_state() const {
    if (!device_.is_cuda()) return {};
    at::Generator generator = at::globalContext().defaultGenerator(device_);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.get_state();
  }

  at::Device device_;
  CpuState cpu_before_;
  Tensor device_before_;
};

bool same_values(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() && a.scalar_type() == b.scalar_type() && a.device() == b.device() &&
         a.equal(b);
}

/// How many functions need a gradient by a parameter that requires none by itself.
class FrozenParameters {
 public:
  void need(Tensor parameter) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (needed_[parameter.unsafeGetTensorImpl()]++ == 0) parameter.set_requires_grad(true);
  }
  void release(Tensor parameter) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = needed_.find(parameter.unsafeGetTensorImpl());
    if (--found->second > 0) return;
    needed_.erase(found);
    parameter.set_requires_grad(false);
  }
  bool is_frozen(const Tensor& parameter) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !parameter.requires_grad() || needed_.count(parameter.unsafeGetTensorImpl()) > 0;
  }

  static FrozenParameters& of_process() {
    static FrozenParameters parameters;
    return parameters;
  }

 private:
  std::mutex mutex_;
  std::map<const c10::TensorImpl*, int64_t> needed_;
};

}  // namespace

NetworkFunction::NetworkFunction(Network& network)
    : NetworkFunction(network, [&network](const Tensor& inputs) { return network.forward(inputs); }) {}

NetworkFunction::NetworkFunction(torch::nn::Module& module, Forward forward)
    : module_(&module), forward_(std::move(forward)) {
  mend_operators();
  for (const auto& [name, value] : named_trainable_parameters(module)) {
    // Another function may need its gradient for the moment.
    if (FrozenParameters::of_process().is_frozen(value)) continue;
    names_.push_back(name);
    parameters_.push_back(value);
  }
}

NetworkFunction NetworkFunction::restricted(const std::vector<std::string>& names) const {
  NetworkFunction part = *this;
  part.findings_ = std::make_shared<FunctionFindings>();
  {
    const std::lock_guard<std::mutex> lock(findings_->mutex);
    part.findings_->uncoupled = findings_->uncoupled;
    part.findings_->modes = findings_->modes;
    part.findings_->examined = findings_->examined;
  }
  part.names_.clear();
  part.parameters_.clear();
  std::vector<bool> used(names.size(), false);
  std::vector<std::string> known;
  for (const auto& item : module_->named_parameters()) {
    // By every name that a shared parameter has.
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
  if (!parameters_.empty() && parameters_.front().is_floating_point()) {
    const Tensor& parameter = parameters_.front();
    expects(inputs.device() == parameter.device(), "inputs are on {}, the network's parameters on {}",
            inputs.device().str(), parameter.device().str());
    expects(!inputs.is_floating_point() || inputs.scalar_type() == parameter.scalar_type(),
            "inputs are {}, the network's parameters {}", c10::toString(inputs.scalar_type()),
            c10::toString(parameter.scalar_type()));
  }
  const autograd::SharedUse use;
  const GeneratorWatch watch(inputs.device());
  const Tensor outputs = forward_(inputs);
  expects(!watch.has_drawn(),
          "forward draws random numbers, so that predictions change from one call to the next (or another "
          "thread drew from LibTorch's default generator meanwhile)");
  expects(outputs.defined() && outputs.dim() >= 1 && outputs.size(0) == inputs.size(0) && outputs.numel() > 0,
          "the network maps {} examples to a tensor of shape {}; (n, ...) is needed", inputs.size(0),
          outputs.defined() ? fmt::format("{}", fmt::join(outputs.sizes(), " x ")) : "undefined");
  expects(outputs.is_floating_point(), "the network's outputs are {}; real floating numbers are needed",
          c10::toString(outputs.scalar_type()));
  return outputs.dim() == 2 ? outputs : outputs.reshape({outputs.size(0), -1});
}

int64_t NetworkFunction::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters_) count += parameter.numel();
  return count;
}

void NetworkFunction::check(const Tensor& inputs, int64_t batch) const {
  check_parameters();
  expects(inputs.dim() >= 1 && inputs.size(0) > 0, "the batch of inputs is empty");
  for (int64_t i = 0; i < inputs.size(0); i += batch) {
    const Tensor some = inputs.slice(0, i, std::min(inputs.size(0), i + batch)).detach();
    const Tensor predictions = [&] {
      const at::NoGradGuard no_grad;
      return (*this)(some);
    }();
    check_finite(predictions);
    check_examples_apart(some, predictions);
    check_uncoupled_derivatives(*this, some);
  }
}

void NetworkFunction::check_predictions(const Tensor& inputs, const Tensor& predictions) const {
  const at::NoGradGuard no_grad;
  check_finite(predictions);
  const Tensor found = predictions.detach();
  {
    const std::lock_guard<std::mutex> lock(findings_->mutex);
    if (findings_->modes == modes() && same_values(findings_->uncoupled, found)) return;
  }
  check_examples_apart(inputs, found);
  bool first = true;
  {
    const std::lock_guard<std::mutex> lock(findings_->mutex);
    first = inputs.size(0) > findings_->compared_alone;
  }
  if (first) {
    check_gradients_alone(*this, inputs);
    const std::lock_guard<std::mutex> lock(findings_->mutex);
    findings_->compared_alone = std::max(findings_->compared_alone, inputs.size(0));
  }
  constexpr int64_t worth_keeping = 1 << 20;
  if (found.numel() > worth_keeping) return;
  const std::lock_guard<std::mutex> lock(findings_->mutex);
  findings_->uncoupled = found.clone();
}

void NetworkFunction::check_examples_apart(const Tensor& inputs, const Tensor& predictions) const {
  const std::vector<bool> now = modes();
  const bool small = inputs.size(0) <= 16 && inputs.numel() <= 1 << 20;
  bool thorough = true;
  {
    const std::lock_guard<std::mutex> lock(findings_->mutex);
    if (findings_->modes != now) {
      findings_->modes = now;
      findings_->uncoupled = Tensor();
      findings_->examined = 0;
      findings_->examined_batches.clear();
      findings_->compared_alone = 0;
    }
    // A batch may decide something for all of its examples at once; another one of the same size otherwise.
    const bool known = std::ranges::any_of(findings_->examined_batches,
                                           [&](const Tensor& batch) { return same_values(batch, inputs); });
    thorough = inputs.size(0) > findings_->examined || (small && !known);
  }
  check_uncoupled(*this, inputs, predictions, thorough);
  const std::lock_guard<std::mutex> lock(findings_->mutex);
  findings_->examined = std::max(findings_->examined, inputs.size(0));
  if (!thorough || !small) return;
  constexpr size_t kept = 4;
  if (findings_->examined_batches.size() == kept)
    findings_->examined_batches.erase(findings_->examined_batches.begin());
  findings_->examined_batches.push_back(inputs.detach().clone());
}

std::vector<bool> NetworkFunction::modes() const {
  std::vector<bool> modes;
  for (const auto& module : module_->modules()) modes.push_back(module->is_training());
  return modes;
}

void NetworkFunction::check_parameters() const {
  expects(!c10::InferenceMode::is_enabled(),
          "inference mode is on, in which LibTorch keeps no derivatives; leave it first");
  expects(parameter_count() > 0, "the network has no parameters to differentiate by");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor &parameter = parameters_[i], &first = parameters_.front();
    expects(parameter.is_floating_point(), "parameter {} is {}; a real floating dtype is needed", names_[i],
            parameter.is_complex() ? fmt::format("complex ({})", c10::toString(parameter.scalar_type()))
                                   : c10::toString(parameter.scalar_type()));
    expects(!parameter.is_inference(),
            "parameter {} was made in inference mode and cannot require a gradient; make it outside of it",
            names_[i]);
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
  // The sum is one operation: it is finite unless an entry is not, or it overflows.
  if (std::isfinite(predictions.sum(at::kDouble).item<double>()) || predictions.isfinite().all().item<bool>())
    return;
  for (size_t i = 0; i < parameters_.size(); ++i)
    expects(parameters_[i].isfinite().all().item<bool>(), "parameter {} holds numbers that are not finite",
            names_[i]);
  expects(false, "the network's predictions are not finite");
}

bool NetworkFunction::depends_on(size_t parameter, const Tensor& inputs) const {
  const autograd::ExclusiveUse use;
  const at::NoGradGuard no_grad;
  Tensor held = parameters_[parameter];
  const Tensor values = held.variable_data();
  const Tensor before = (*this)(inputs).clone();
  held.set_data(values * 1.01 + 0.01);
  Tensor after;
  try {
    after = (*this)(inputs);
  } catch (...) {
    held.set_data(values);
    throw;
  }
  held.set_data(values);
  return !after.equal(before);
}

NetworkFunction::Differentiation::Differentiation(const NetworkFunction& function)
    : grad_mode_(at::GradMode::is_enabled()) {
  for (const Tensor& parameter : function.parameters_) {
    if (!parameter.is_leaf() || !FrozenParameters::of_process().is_frozen(parameter)) continue;
    FrozenParameters::of_process().need(parameter);
    frozen_.push_back(parameter);
  }
  at::GradMode::set_enabled(true);
}

NetworkFunction::Differentiation::~Differentiation() {
  at::GradMode::set_enabled(grad_mode_);
  for (const Tensor& parameter : frozen_) FrozenParameters::of_process().release(parameter);
}

}  // namespace plumb
