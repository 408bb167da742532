/// Many vector products with one pass, by LibTorch's batching of operators (vmap).
#pragma once

#include <functional>
#include <optional>

#include "plumb/autograd/functional_lists.hpp"

namespace plumb::autograd::functional {

/// `body` run once for the whole batch: its arguments are the elements of `batches`, (b, ...) each, in
/// hiding; what it returns comes back as (b, ...). Nothing when LibTorch cannot batch an operator. What comes
/// back is not compared with anything, and rules of some operators are wrong in some versions: callers must
/// check.
std::optional<Tensors> unchecked_batch(const Tensors& batches,
                                       const std::function<Tensors(const Tensors&)>& body);

/// gradients() for a batch of cotangents, (b, sizes of output) each; returns (b, sizes of input) each.
/// Nothing when LibTorch cannot batch an operator's backward formula, or what it returns fails the comparison
/// with one ordinary backward pass. The graph of the outputs is kept.
std::optional<Tensors> batched_gradients(const Tensors& outputs, const Tensors& inputs,
                                         const Tensors& cotangents, bool create_graph);

/// The outputs' tangents for a batch of tangents of the inputs, (b, sizes of input) each; `values` receives
/// the outputs. Nothing when LibTorch cannot batch an operator of the function, or the result fails the
/// comparison with one ordinary pass; `function` has then been called once or twice.
std::optional<Tensors> batched_tangents(const Function& function, const Tensors& inputs,
                                        const Tensors& tangents, Tensors& values);

/// The outputs' tangents, zero where there is none and with the graph that `function` gives them, for one
/// tangent per input, undefined where it is constant; `values` receives the outputs.
Tensors tangents_of(const Function& function, const Tensors& inputs, const Tensors& tangents,
                    Tensors& values);

}  // namespace plumb::autograd::functional
