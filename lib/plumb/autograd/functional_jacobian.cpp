#include <numeric>

#include <c10/core/GradMode.h>

#include "plumb/autograd/batched.hpp"
#include "plumb/autograd/functional_lists.hpp"
#include "plumb/autograd/functional_steps.hpp"
#include "plumb/autograd/missing_formula.hpp"
#include "plumb/core/error.hpp"

namespace plumb::autograd::functional::lists {
namespace {

using Sizes = std::vector<int64_t>;

Sizes joined(at::IntArrayRef first, at::IntArrayRef second) {
  Sizes sizes = first.vec();
  sizes.insert(sizes.end(), second.begin(), second.end());
  return sizes;
}

int64_t total_elements(const Tensors& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), int64_t{0},
                         [](int64_t sum, const Tensor& tensor) { return sum + tensor.numel(); });
}

/// The unit vectors of all tensors' elements taken together: for each tensor (elements of all, its sizes).
Tensors standard_basis(const Tensors& tensors) {
  const int64_t all = total_elements(tensors);
  Tensors basis;
  int64_t before = 0;
  for (const Tensor& tensor : tensors) {
    Tensor batch = at::zeros({all, tensor.numel()}, tensor.options().requires_grad(false));
    batch.diagonal(-before).fill_(1);
    basis.push_back(batch.view(joined({all}, tensor.sizes())));
    before += tensor.numel();
  }
  return basis;
}

Tensor unit_vector(const Tensor& like, int64_t element) {
  Tensor vector = at::zeros(like.sizes(), like.options().requires_grad(false));
  vector.view(-1).select(0, element).fill_(1);
  return vector;
}

/// The rows of one output, one backward pass each: for every input (output's sizes, input's sizes).
Tensors rows_one_by_one(std::string_view caller, const Tensors& outputs, size_t index, const Tensors& inputs,
                        const JacobianOptions& options) {
  const Tensor& output = outputs[index];
  std::vector<Tensors> rows(inputs.size());
  for (int64_t element = 0; element < output.numel(); ++element) {
    // A new vector for each row: the graph may keep it, and an identity returns it.
    const Tensors found = gradients({output}, inputs, Tensors{unit_vector(output, element)},
                                    options.create_graph, /*retain_graph=*/true);
    for (size_t i = 0; i < inputs.size(); ++i) {
      expects(!options.strict || found[i].defined(),
              "{}: output {} is independent of input {}; strict mode refuses that", caller, index, i);
      expects(!options.strict || !options.create_graph || found[i].requires_grad(),
              "{}: the Jacobian of output {} with respect to input {} is independent of the inputs, and "
              "create_graph is set; strict mode refuses that",
              caller, index, i);
      rows[i].push_back(found[i].defined() ? found[i] : at::zeros_like(inputs[i].detach()));
    }
  }
  Tensors jacobians;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Sizes sizes = joined(output.sizes(), inputs[i].sizes());
    jacobians.push_back(rows[i].empty() ? at::zeros(sizes, inputs[i].options().requires_grad(false))
                                        : at::stack(rows[i]).view(sizes));
  }
  return jacobians;
}

/// All rows by one batched backward pass; nothing when that cannot be had.
std::optional<std::vector<Tensors>> rows_at_once(const Tensors& outputs, const Tensors& inputs,
                                                 const JacobianOptions& options) {
  const int64_t all = total_elements(outputs);
  if (all == 0) return std::nullopt;
  const auto found = batched_gradients(outputs, inputs, standard_basis(outputs), options.create_graph);
  if (!found) return std::nullopt;
  std::vector<Tensors> jacobians;
  int64_t before = 0;
  for (const Tensor& output : outputs) {
    Tensors& row = jacobians.emplace_back();
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Sizes sizes = joined(output.sizes(), inputs[i].sizes());
      row.push_back((*found)[i].defined() ? (*found)[i].narrow(0, before, output.numel()).reshape(sizes)
                                          : at::zeros(sizes, inputs[i].options().requires_grad(false)));
    }
    before += output.numel();
  }
  return jacobians;
}

std::vector<Tensors> reverse_jacobian(std::string_view caller, const Function& function, const Tensors& given,
                                      const JacobianOptions& options) {
  const c10::AutoGradMode record(true);
  const Tensors inputs = prepared(given, options.create_graph, /*track=*/true);
  const Tensors outputs = evaluate(caller, function, inputs, options.strict);
  expects(!options.vectorize || !options.strict,
          "{}: strict is set with vectorize, which cannot see dependence; set one of them", caller);
  std::optional<std::vector<Tensors>> jacobians;
  if (options.vectorize) jacobians = rows_at_once(outputs, inputs, options);
  if (!jacobians) {
    jacobians.emplace();
    for (size_t i = 0; i < outputs.size(); ++i)
      jacobians->push_back(rows_one_by_one(caller, outputs, i, inputs, options));
  }
  for (Tensors& row : *jacobians) row = completed(std::move(row), inputs, options.create_graph);
  return *jacobians;
}

/// The outputs' tangents for every unit vector of the inputs, (elements of all inputs, output's sizes) each.
Tensors columns_one_by_one(std::string_view caller, const Function& function, const Tensors& inputs,
                           Tensors& values) {
  std::vector<Tensors> columns;  // [output][element]
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (int64_t element = 0; element < inputs[i].numel(); ++element) {
      Tensors tangents(inputs.size());
      tangents[i] = unit_vector(inputs[i], element);
      try {
        const Tensors found = tangents_of(function, inputs, tangents, values);
        columns.resize(found.size());
        for (size_t k = 0; k < found.size(); ++k) columns[k].push_back(found[k]);
      } catch (const c10::Error& error) {
        const auto obstacle = missing_forward_formula(error);
        if (!obstacle) throw;
        throw ContractError(fmt::format("{}: {}; use Strategy::reverse_mode", caller, *obstacle));
      }
    }
  }
  Tensors result;
  for (const Tensors& column : columns) result.push_back(at::stack(column));
  return result;
}

std::vector<Tensors> forward_jacobian(std::string_view caller, const Function& function, const Tensors& given,
                                      const JacobianOptions& options) {
  expects(!options.create_graph,
          "{}: create_graph is set with Strategy::forward_mode, which keeps no graph; use "
          "Strategy::reverse_mode",
          caller);
  expects(!options.strict,
          "{}: strict is set with Strategy::forward_mode, which cannot see dependence; use "
          "Strategy::reverse_mode",
          caller);
  expects(options.vectorize, "{}: Strategy::forward_mode needs vectorize; set it", caller);
  const Tensors inputs = prepared(given, /*create_graph=*/false, /*track=*/false);
  Tensors values;
  Tensors columns;
  if (total_elements(inputs) == 0) {
    tangents_of(function, inputs, Tensors(inputs.size()), values);
    for (const Tensor& value : values)
      columns.push_back(at::zeros(joined({0}, value.sizes()), value.options().requires_grad(false)));
  } else if (auto found = batched_tangents(function, inputs, standard_basis(inputs), values)) {
    columns = *std::move(found);
  } else {
    columns = columns_one_by_one(caller, function, inputs, values);
  }
  std::vector<Tensors> jacobians;
  for (size_t k = 0; k < values.size(); ++k) {
    Tensors& row = jacobians.emplace_back();
    int64_t before = 0;
    for (const Tensor& input : inputs) {
      const Tensor block = columns[k].narrow(0, before, input.numel());
      row.push_back(block.movedim(0, -1).reshape(joined(values[k].sizes(), input.sizes())));
      before += input.numel();
    }
  }
  return jacobians;
}

std::vector<Tensors> jacobian_by_strategy(std::string_view caller, const Function& function,
                                          const Tensors& inputs, const JacobianOptions& options) {
  expect_inputs(caller, inputs);
  return options.strategy == Strategy::forward_mode ? forward_jacobian(caller, function, inputs, options)
                                                    : reverse_jacobian(caller, function, inputs, options);
}

}  // namespace

std::vector<Tensors> jacobian(const Function& function, const Tensors& inputs,
                              const JacobianOptions& options) {
  return jacobian_by_strategy("jacobian", function, inputs, options);
}

std::vector<Tensors> hessian(const Function& function, const Tensors& given, const HessianOptions& options) {
  const Function scalar = [&](const Tensors& inputs) -> Tensors {
    const Tensors outputs = evaluate("hessian", function, inputs, options.strict);
    expect_single_element("hessian", outputs);
    return {outputs.front().squeeze()};
  };
  const Function gradient = [&](const Tensors& inputs) {
    Tensors found = reverse_jacobian("hessian", scalar, inputs, {.create_graph = true}).front();
    expect_tracked(options.strict, found, "hessian",
                   "the gradient with respect to input {} is independent of the inputs");
    return found;
  };
  return jacobian_by_strategy("hessian", gradient, given,
                              {.create_graph = options.create_graph,
                               .strict = options.strict,
                               .vectorize = options.vectorize,
                               .strategy = options.outer_jacobian_strategy});
}

}  // namespace plumb::autograd::functional::lists
