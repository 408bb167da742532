#include "plumb/autograd/functional_steps.hpp"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/mended_operators.hpp"

namespace plumb::autograd::functional {

void expect_inputs(std::string_view caller, const Tensors& inputs) {
  mend_operators();
  expects(!c10::InferenceMode::is_enabled(),
          "{} in inference mode: no derivative is kept there; leave inference mode", caller);
  expects(!inputs.empty(), "{}: the list of inputs is empty; give at least one tensor", caller);
  for (size_t i = 0; i < inputs.size(); ++i)
    expects(inputs[i].defined(), "{}: input {} is undefined; give a tensor", caller, i);
}

Tensors prepared(const Tensors& inputs, bool create_graph, bool track) {
  Tensors result;
  for (const Tensor& input : inputs) {
    const bool connected = input.requires_grad() || input._fw_grad(/*level=*/0).defined();
    if (!create_graph || !connected)
      result.push_back(input.detach().set_requires_grad(track));
    else if (input.is_sparse())  // which has no views
      result.push_back(input.clone());
    else
      result.push_back(input.view_as(input));
    if (track && !result.back().requires_grad()) result.back().set_requires_grad(true);
  }
  return result;
}

std::optional<Tensors> prepared_vector(std::string_view caller, const Vector& v, const Tensors& like,
                                       std::string_view what, bool create_graph) {
  if (!v.tensors()) {
    expects(like.size() == 1 && like[0].numel() == 1,
            "{}: v is not given; that is right only where the {} are one tensor of one element", caller,
            what);
    return std::nullopt;
  }
  const Tensors& tensors = *v.tensors();
  expects(tensors.size() == like.size(), "{}: v has {} tensors; the {} have {}", caller, tensors.size(), what,
          like.size());
  for (size_t i = 0; i < like.size(); ++i) {
    expects(tensors[i].defined(), "{}: v[{}] is undefined; give a tensor", caller, i);
    expects(tensors[i].sizes() == like[i].sizes(), "{}: v[{}] has sizes {}; {} is right, as of the {}",
            caller, i, c10::str(tensors[i].sizes()), c10::str(like[i].sizes()), what);
  }
  return prepared(tensors, create_graph, /*track=*/false);
}

Tensors evaluate(std::string_view caller, const Function& function, const Tensors& inputs, bool strict) {
  Tensors outputs = function(inputs);
  expects(!outputs.empty(), "{}: the function returned an empty list; at least one tensor is right", caller);
  for (size_t i = 0; i < outputs.size(); ++i)
    expects(outputs[i].defined(), "{}: output {} is undefined; return a tensor", caller, i);
  expect_tracked(strict, outputs, caller, "output {} does not depend on the inputs in a differentiable way");
  return outputs;
}

Tensors gradients(const Tensors& outputs, const Tensors& inputs, const std::optional<Tensors>& cotangents,
                  bool create_graph, std::optional<bool> retain_graph) {
  Tensors tracked;
  Tensors kept;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !outputs[i].requires_grad()) continue;
    tracked.push_back(outputs[i]);
    if (cotangents) kept.push_back((*cotangents)[i]);
  }
  if (tracked.empty()) return Tensors(inputs.size());
  return torch::autograd::grad(tracked, inputs, kept, retain_graph.value_or(create_graph), create_graph,
                               /*allow_unused=*/true);
}

Tensors completed(Tensors found, const Tensors& like, bool create_graph) {
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].defined()) found[i] = at::zeros_like(like[i].detach());
    if (!create_graph) found[i] = found[i].detach();
  }
  return found;
}

void expect_defined(bool strict, const Tensors& found, std::string_view caller, std::string_view what) {
  if (!strict) return;
  for (size_t i = 0; i < found.size(); ++i)
    if (!found[i].defined())
      throw ContractError(
          fmt::format("{}: {}; strict mode refuses that", caller, fmt::format(fmt::runtime(what), i)));
}

void expect_tracked(bool strict, const Tensors& found, std::string_view caller, std::string_view what) {
  if (!strict) return;
  for (size_t i = 0; i < found.size(); ++i)
    if (!found[i].requires_grad())
      throw ContractError(
          fmt::format("{}: {}; strict mode refuses that", caller, fmt::format(fmt::runtime(what), i)));
}

void expect_single_element(std::string_view caller, const Tensors& outputs) {
  expects(outputs.size() == 1 && outputs[0].numel() == 1,
          "{}: the function returned {} tensors, the first of sizes {}; one tensor of one element is right",
          caller, outputs.size(), c10::str(outputs[0].sizes()));
}

}  // namespace plumb::autograd::functional
