#include "plumb/autograd/forward_derivative.hpp"

#include <optional>
#include <string>
#include <unordered_map>

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "plumb/autograd/dual_level.hpp"
#include "plumb/autograd/missing_formula.hpp"
#include "plumb/core/error.hpp"

namespace plumb::autograd {
namespace {

void expect_matching_tangents(const std::vector<Tensor>& parameters, const std::vector<Tensor>& tangents) {
  expects(parameters.size() == tangents.size(),
          "jvp_of_parameters: {} tangents for {} parameters; one for each is right", tangents.size(),
          parameters.size());
  std::unordered_map<const c10::TensorImpl*, size_t> seen;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i];
    const Tensor& tangent = tangents[i];
    expects(parameter.defined() && tangent.defined(),
            "jvp_of_parameters: parameter {} or its tangent is undefined; give tensors", i);
    expects(at::isFloatingType(parameter.scalar_type()),
            "jvp_of_parameters: parameter {} is {}; floating point is right", i,
            c10::toString(parameter.scalar_type()));
    expects(tangent.sizes() == parameter.sizes() && tangent.scalar_type() == parameter.scalar_type() &&
                tangent.device() == parameter.device(),
            "jvp_of_parameters: tangent {} is {} {} on {}; its parameter is {} {} on {}", i,
            c10::toString(tangent.scalar_type()), c10::str(tangent.sizes()), tangent.device().str(),
            c10::toString(parameter.scalar_type()), c10::str(parameter.sizes()), parameter.device().str());
    const auto [first, is_new] = seen.emplace(parameter.unsafeGetTensorImpl(), i);
    expects(is_new, "jvp_of_parameters: parameters {} and {} are one tensor; list each once", first->second,
            i);
  }
}

void expect_floating_outputs(const Tensor& outputs) {
  expects(outputs.defined() && at::isFloatingType(outputs.scalar_type()),
          "jvp_of_parameters: forward returned {}; a tensor of floating point is right",
          outputs.defined() ? c10::toString(outputs.scalar_type()) : "an undefined tensor");
}

Tensor jvp_in_forward_mode(const std::function<Tensor()>& forward, const std::vector<Tensor>& parameters,
                           const std::vector<Tensor>& tangents) {
  const c10::NoGradGuard no_graph;
  const c10::AutoFwGradMode carry_tangents(true);
  const DualLevel level;
  // The level keeps what it is given: a tangent with a graph would not be released before the level's end.
  for (size_t i = 0; i < parameters.size(); ++i) level.set_tangent(parameters[i], tangents[i].detach());
  const Tensor outputs = forward();
  expect_floating_outputs(outputs);
  const Tensor derivative = level.tangent(outputs);
  Tensor result = at::zeros(outputs.sizes(), outputs.options());
  // The copy keeps the result apart from the tangents, which an identity would hand through, and gives memory
  // to the tensors without any by which LibTorch represents known zeros.
  if (derivative.defined()) result.copy_(derivative.detach());
  return result;
}

/// Lets all parameters require gradients within its scope.
class RequireGradients {
 public:
  explicit RequireGradients(const std::vector<Tensor>& parameters) {
    for (const Tensor& parameter : parameters)
      if (!parameter.requires_grad()) changed_.push_back(parameter.set_requires_grad(true));
  }
  RequireGradients(const RequireGradients&) = delete;
  RequireGradients& operator=(const RequireGradients&) = delete;
  ~RequireGradients() {
    for (const Tensor& parameter : changed_) parameter.set_requires_grad(false);
  }

 private:
  std::vector<Tensor> changed_;
};

Tensor jvp_by_double_backward(const std::function<Tensor()>& forward, const std::vector<Tensor>& parameters,
                              const std::vector<Tensor>& tangents) {
  expects(!c10::InferenceMode::is_enabled(),
          "jvp_of_parameters in inference mode: no derivative is kept there; leave inference mode");
  const c10::AutoGradMode record(true);
  const RequireGradients required(parameters);
  const Tensor outputs = forward();
  expect_floating_outputs(outputs);
  Tensor zero = at::zeros(outputs.sizes(), outputs.options());
  if (!outputs.requires_grad() || parameters.empty()) return zero;
  const Tensor cotangents = at::zeros_like(outputs).set_requires_grad(true);
  const auto gradients = torch::autograd::grad({outputs}, parameters, {cotangents}, /*retain_graph=*/true,
                                               /*create_graph=*/true, /*allow_unused=*/true);
  std::vector<Tensor> linear;  // in the cotangents
  std::vector<Tensor> directions;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined() || !gradients[i].requires_grad()) continue;
    linear.push_back(gradients[i].is_sparse() ? gradients[i].to_dense() : gradients[i]);
    directions.push_back(tangents[i].detach());
  }
  if (linear.empty()) return zero;
  const Tensor derivative =
      torch::autograd::grad(linear, {cotangents}, directions, /*retain_graph=*/c10::nullopt,
                            /*create_graph=*/false, /*allow_unused=*/true)[0];
  return derivative.defined() ? zero.copy_(derivative) : zero;
}

}  // namespace

Tensor jvp_of_parameters(const std::function<Tensor()>& forward, const std::vector<Tensor>& parameters,
                         const std::vector<Tensor>& tangents, JvpRoute route) {
  expect_matching_tangents(parameters, tangents);
  std::optional<std::string> obstacle;
  if (route != JvpRoute::double_backward) {
    try {
      return jvp_in_forward_mode(forward, parameters, tangents);
    } catch (const c10::Error& error) {
      obstacle = missing_forward_formula(error);
      // Some parameters cannot carry a tangent (views, for one), which LibTorch says in many ways.
      if (!obstacle && route == JvpRoute::automatic)
        obstacle = fmt::format("forward mode failed ({})", error.what_without_backtrace());
      if (!obstacle) throw;
    }
    expects(route == JvpRoute::automatic, "jvp_of_parameters: {}; use the route double_backward", *obstacle);
  }
  try {
    return jvp_by_double_backward(forward, parameters, tangents);
  } catch (const std::exception& error) {  // the engine rethrows some as std::runtime_error
    const auto second = missing_backward_formula(error);
    if (!second) throw;
    throw ContractError(fmt::format("jvp_of_parameters: {}{}{}; no route is left", obstacle.value_or(""),
                                    obstacle ? ", and " : "", *second));
  }
}

}  // namespace plumb::autograd
