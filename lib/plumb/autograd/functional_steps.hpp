/// Steps that the functions of functional.hpp share: preparing inputs, one gradient, the checks of strict
/// mode.
#pragma once

#include <optional>
#include <string_view>

#include "plumb/autograd/functional_lists.hpp"

namespace plumb::autograd::functional {

/// Throws ContractError, naming `caller`, in inference mode, for an empty list and for an undefined tensor.
void expect_inputs(std::string_view caller, const Tensors& inputs);

/// Other tensors in the inputs' memory, which require gradients when `track` is set. They belong to the inputs'
/// graph, and carry their tangents, where `create_graph` is set; otherwise they are new leaves. New objects in
/// every case: a function that also holds the inputs themselves must not be differentiated through.
Tensors prepared(const Tensors& inputs, bool create_graph, bool track);

/// The prepared v; throws ContractError when it does not match `like`. Nothing when v is not given: `like`
/// must then be a single tensor of a single element. `what` says what `like` is: "outputs" or "inputs".
std::optional<Tensors> prepared_vector(std::string_view caller, const Vector& v, const Tensors& like,
                                       std::string_view what, bool create_graph);

/// The outputs of `function`; throws ContractError when there are none or one is undefined, and in strict
/// mode when one does not require gradients.
Tensors evaluate(std::string_view caller, const Function& function, const Tensors& inputs, bool strict);

/// sum_i cotangents[i] d outputs[i] / d inputs; undefined where an input is not reached. Outputs that are
/// undefined or do not require gradients contribute nothing. Without cotangents each output must be one
/// element.
Tensors gradients(const Tensors& outputs, const Tensors& inputs, const std::optional<Tensors>& cotangents,
                  bool create_graph, std::optional<bool> retain_graph = std::nullopt);

/// `found` with zeros like `like` where it is undefined, without graphs unless `create_graph`.
Tensors completed(Tensors found, const Tensors& like, bool create_graph);

/// Each throws ContractError in strict mode with `message`, into which the index is formatted, for the first
/// tensor that is undefined, or does not require gradients.
void expect_defined(bool strict, const Tensors& found, std::string_view caller, std::string_view what);
void expect_tracked(bool strict, const Tensors& found, std::string_view caller, std::string_view what);

/// Throws ContractError unless `outputs` is a single tensor of a single element.
void expect_single_element(std::string_view caller, const Tensors& outputs);

}  // namespace plumb::autograd::functional
