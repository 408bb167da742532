/// Derivatives of functions of tensors: the counterpart of Python's torch.autograd.functional.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>
#include <vector>

#include "plumb/autograd/functional_lists.hpp"
#include "plumb/core/tensor.hpp"

/// Each function takes inputs, one Tensor or a list of them, and a function of the same: anything that can be
/// called with them (a lambda, a std::function, a torch::nn::Linear) and returns one Tensor or a list.
/// Results have the form that Python gives them: a list for each side that is a list.
///   jacobian(f, x)           x Tensor, f(x) Tensor          -> Tensor, sizes of f(x), then sizes of x
///   jacobian(f, {x, y})      f takes a list                 -> list, one Jacobian per input
///   vjp(f, x, v)             f returns a list               -> {outputs, v J}, v a list like the outputs
/// The inputs are left as they were, with their gradients and whether they require them; the tensors a
/// function is called with are others in the same memory. Results carry a graph only with `create_graph`. The
/// inputs are real or complex as reverse mode allows; errors of LibTorch itself pass through. Throws
/// ContractError where Python raises an error of its own, and in inference mode.
namespace plumb::autograd::functional {

template <class T>
concept TensorOrTensors = std::same_as<T, Tensor> || std::same_as<T, Tensors>;

/// What `F` returns for inputs of type `In`.
template <class F, class In>
using OutputsOf = std::remove_cvref_t<std::invoke_result_t<F&, const In&>>;

/// A function of `In` whose outputs are a Tensor or a list of them.
template <class F, class In>
concept DifferentiableFunction =
    TensorOrTensors<In> && std::invocable<F&, const In&> && TensorOrTensors<OutputsOf<F, In>>;

/// A function of `In` that returns one Tensor; that it has a single element is checked when it is called.
template <class F, class In>
concept ScalarFunction = DifferentiableFunction<F, In> && std::same_as<OutputsOf<F, In>, Tensor>;

namespace detail {

inline Tensors to_list(const Tensor& tensor) { return {tensor}; }
inline Tensors to_list(Tensors tensors) { return tensors; }

/// The first element where one Tensor was given or returned, all where a list was.
template <class Form, class T>
auto in_form(std::vector<T> list) {
  if constexpr (std::same_as<Form, Tensor>)
    return std::move(list.front());
  else
    return list;
}

/// `function` over lists; refers to it.
template <class In, class F>
Function over_lists(F& function) {
  return [&function](const Tensors& inputs) -> Tensors {
    if constexpr (std::same_as<In, Tensor>)
      return to_list(std::invoke(function, inputs.front()));
    else
      return to_list(std::invoke(function, inputs));
  };
}

template <class In, class F>
std::pair<OutputsOf<F, In>, In> input_product(lists::Product found) {
  return {in_form<OutputsOf<F, In>>(std::move(found.outputs)), in_form<In>(std::move(found.product))};
}

}  // namespace detail

/// d outputs / d inputs; [output][input] when both are lists, each of the output's sizes, then the input's.
template <class F, TensorOrTensors In = Tensors>
requires DifferentiableFunction<F, In>
auto jacobian(F&& function, const In& inputs, const JacobianOptions& options = {}) {
  auto rows = lists::jacobian(detail::over_lists<In>(function), detail::to_list(inputs), options);
  std::vector<decltype(detail::in_form<In>(rows.front()))> formed;
  for (Tensors& row : rows) formed.push_back(detail::in_form<In>(std::move(row)));
  return detail::in_form<OutputsOf<F, In>>(std::move(formed));
}

/// {outputs, v J}: v like the outputs, the product like the inputs. Without v the outputs must be a single
/// element.
template <class F, TensorOrTensors In = Tensors>
requires DifferentiableFunction<F, In>
auto vjp(F&& function, const In& inputs, const Vector& v = {}, const ProductOptions& options = {}) {
  return detail::input_product<In, F>(
      lists::vjp(detail::over_lists<In>(function), detail::to_list(inputs), v, options));
}

/// {outputs, J v}: v like the inputs, the product like the outputs. Without v the inputs must be a single
/// element. By two backward passes, as in Python; jvp_of_parameters has forward mode.
template <class F, TensorOrTensors In = Tensors>
requires DifferentiableFunction<F, In>
auto jvp(F&& function, const In& inputs, const Vector& v = {}, const ProductOptions& options = {}) {
  using Out = OutputsOf<F, In>;
  auto found = lists::jvp(detail::over_lists<In>(function), detail::to_list(inputs), v, options);
  return std::pair<Out, Out>(detail::in_form<Out>(std::move(found.outputs)),
                             detail::in_form<Out>(std::move(found.product)));
}

/// {output, H v} with H the matrix of second derivatives: v and the product like the inputs. Without v the
/// inputs must be a single element. By three backward passes: vhp is cheaper and equal where H is symmetric.
template <class F, TensorOrTensors In = Tensors>
requires ScalarFunction<F, In>
auto hvp(F&& function, const In& inputs, const Vector& v = {}, const ProductOptions& options = {}) {
  return detail::input_product<In, F>(
      lists::hvp(detail::over_lists<In>(function), detail::to_list(inputs), v, options));
}

/// {output, v H} with H the matrix of second derivatives: v and the product like the inputs. Without v the
/// inputs must be a single element.
template <class F, TensorOrTensors In = Tensors>
requires ScalarFunction<F, In>
auto vhp(F&& function, const In& inputs, const Vector& v = {}, const ProductOptions& options = {}) {
  return detail::input_product<In, F>(
      lists::vhp(detail::over_lists<In>(function), detail::to_list(inputs), v, options));
}

/// The matrix of second derivatives; [input][input] when the inputs are a list, each of the first's sizes,
/// then the second's.
template <class F, TensorOrTensors In = Tensors>
requires ScalarFunction<F, In>
auto hessian(F&& function, const In& inputs, const HessianOptions& options = {}) {
  auto rows = lists::hessian(detail::over_lists<In>(function), detail::to_list(inputs), options);
  std::vector<decltype(detail::in_form<In>(rows.front()))> formed;
  for (Tensors& row : rows) formed.push_back(detail::in_form<In>(std::move(row)));
  return detail::in_form<In>(std::move(formed));
}

}  // namespace plumb::autograd::functional
