#include <c10/core/GradMode.h>

#include "plumb/autograd/functional_lists.hpp"
#include "plumb/autograd/functional_steps.hpp"

namespace plumb::autograd::functional::lists {
namespace {

/// A scalar function, its gradient with a graph, and v: where hvp and vhp part.
struct GradientStep {
  Tensors inputs;
  Tensors outputs;
  Tensors gradient;  // like the inputs; undefined for an input that is not reached
  std::optional<Tensors> v;
};

GradientStep differentiate_scalar(std::string_view caller, const Function& function, const Tensors& inputs,
                                  const Vector& v, const ProductOptions& options) {
  expect_inputs(caller, inputs);
  GradientStep step;
  step.inputs = prepared(inputs, options.create_graph, /*track=*/true);
  step.v = prepared_vector(caller, v, step.inputs, "inputs", options.create_graph);
  step.outputs = evaluate(caller, function, step.inputs, options.strict);
  expect_single_element(caller, step.outputs);
  step.gradient = gradients(step.outputs, step.inputs, std::nullopt, /*create_graph=*/true);
  expect_defined(options.strict, step.gradient, caller, "the output is independent of input {}");
  expect_tracked(options.strict, step.gradient, caller,
                 "the gradient with respect to input {} is independent of the inputs");
  return step;
}

Tensors zeros_to_differentiate(const Tensors& like) {
  Tensors zeros;
  for (const Tensor& tensor : like) zeros.push_back(at::zeros_like(tensor.detach()).set_requires_grad(true));
  return zeros;
}

void detach_unless(bool create_graph, Tensors& tensors) {
  if (create_graph) return;
  for (Tensor& tensor : tensors) tensor = tensor.detach();
}

}  // namespace

Product vjp(const Function& function, const Tensors& given, const Vector& v, const ProductOptions& options) {
  const c10::AutoGradMode record(true);
  expect_inputs("vjp", given);
  const Tensors inputs = prepared(given, options.create_graph, /*track=*/true);
  Tensors outputs = evaluate("vjp", function, inputs, options.strict);
  const auto cotangents = prepared_vector("vjp", v, outputs, "outputs", options.create_graph);
  Tensors product = gradients(outputs, inputs, cotangents, options.create_graph);
  expect_defined(options.strict, product, "vjp", "the outputs are independent of input {}");
  expect_tracked(
      options.strict && options.create_graph, product, "vjp",
      "the Jacobian with respect to input {} is independent of the inputs, and create_graph is set");
  detach_unless(options.create_graph, outputs);
  return {outputs, completed(std::move(product), inputs, options.create_graph)};
}

Product jvp(const Function& function, const Tensors& given, const Vector& v, const ProductOptions& options) {
  const c10::AutoGradMode record(true);
  expect_inputs("jvp", given);
  const Tensors inputs = prepared(given, options.create_graph, /*track=*/true);
  const auto tangents = prepared_vector("jvp", v, inputs, "inputs", options.create_graph);
  Tensors outputs = evaluate("jvp", function, inputs, options.strict);
  // u -> J^T u is linear, so its derivative along v is J v wherever u is; at 0 nothing can overflow.
  const Tensors cotangents = zeros_to_differentiate(outputs);
  const Tensors pulled_back = gradients(outputs, inputs, cotangents, /*create_graph=*/true);
  expect_defined(options.strict, pulled_back, "jvp", "the outputs are independent of input {}");
  expect_tracked(options.strict, pulled_back, "jvp",
                 "the gradient with respect to input {} is independent of the inputs");
  Tensors product = gradients(pulled_back, cotangents, tangents, options.create_graph);
  expect_defined(options.strict, product, "jvp", "no derivative reaches output {} by two backward passes");
  expect_tracked(options.strict && options.create_graph, product, "jvp",
                 "the Jacobian of output {} is independent of the inputs, and create_graph is set");
  product = completed(std::move(product), outputs, options.create_graph);
  detach_unless(options.create_graph, outputs);
  return {outputs, product};
}

Product hvp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options) {
  const c10::AutoGradMode record(true);
  GradientStep step = differentiate_scalar("hvp", function, inputs, v, options);
  // As in jvp, with the gradient in the place of the function.
  const Tensors cotangents = zeros_to_differentiate(step.inputs);
  const Tensors pulled_back = gradients(step.gradient, step.inputs, cotangents, /*create_graph=*/true);
  Tensors product = gradients(pulled_back, cotangents, step.v, options.create_graph);
  expect_defined(options.strict, product, "hvp",
                 "no derivative reaches row {} of the Hessian by three backward passes");
  expect_tracked(
      options.strict && options.create_graph, product, "hvp",
      "the Hessian with respect to input {} is independent of the inputs, and create_graph is set");
  detach_unless(options.create_graph, step.outputs);
  return {step.outputs, completed(std::move(product), step.inputs, options.create_graph)};
}

Product vhp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options) {
  const c10::AutoGradMode record(true);
  GradientStep step = differentiate_scalar("vhp", function, inputs, v, options);
  Tensors product = gradients(step.gradient, step.inputs, step.v, options.create_graph);
  expect_defined(options.strict, product, "vhp", "the gradient is independent of input {}");
  expect_tracked(
      options.strict && options.create_graph, product, "vhp",
      "the Hessian with respect to input {} is independent of the inputs, and create_graph is set");
  detach_unless(options.create_graph, step.outputs);
  return {step.outputs, completed(std::move(product), step.inputs, options.create_graph)};
}

}  // namespace plumb::autograd::functional::lists
