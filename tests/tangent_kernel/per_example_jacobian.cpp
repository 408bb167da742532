#include "tangent_kernel/per_example_jacobian.hpp"

#include <torch/torch.h>

namespace plumb::test {
namespace {

/// (p) float64: the gradients of <cotangent, outputs>.
Tensor flat_gradient(const Tensor& outputs, const Tensor& cotangent, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> gradients(parameters.size()), parts;
  if (outputs.requires_grad())
    gradients = torch::autograd::grad({outputs}, parameters, {cotangent}, true, false, true);
  for (size_t p = 0; p < gradients.size(); ++p) {
    const Tensor& gradient = gradients[p];
    if (!gradient.defined())
      parts.push_back(torch::zeros({parameters[p].numel()}, torch::kDouble));
    else
      parts.push_back(
          (gradient.is_sparse() ? gradient.to_dense() : gradient).detach().reshape({-1}).to(torch::kDouble));
  }
  return torch::cat(parts);
}

void add_rows(const Tensor& outputs, const std::vector<Tensor>& parameters, std::vector<Tensor>& rows) {
  const Tensor flat = outputs.reshape({-1});
  for (int64_t k = 0; k < flat.size(0); ++k)
    rows.push_back(flat_gradient(flat[k], torch::ones({}, flat.scalar_type()), parameters));
}

}  // namespace

Tensor per_example_jacobian(const std::function<Tensor(const Tensor&)>& forward,
                            const std::vector<Tensor>& parameters, const Tensor& inputs) {
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < inputs.size(0); ++i) add_rows(forward(inputs.slice(0, i, i + 1)), parameters, rows);
  return torch::stack(rows);
}

Tensor per_example_pull_back(const std::function<Tensor(const Tensor&)>& forward,
                             const std::vector<Tensor>& parameters, const Tensor& inputs, const Tensor& u) {
  Tensor sum;
  for (int64_t i = 0; i < inputs.size(0); ++i) {
    const Tensor flat = forward(inputs.slice(0, i, i + 1)).reshape({-1});
    const int64_t c = flat.size(0);
    const Tensor mine =
        flat_gradient(flat, u.slice(0, i * c, (i + 1) * c).to(flat.scalar_type()), parameters);
    sum = sum.defined() ? sum + mine : mine;
  }
  return sum;
}

Tensor whole_batch_jacobian(const std::function<Tensor(const Tensor&)>& forward,
                            const std::vector<Tensor>& parameters, const Tensor& inputs) {
  std::vector<Tensor> rows;
  add_rows(forward(inputs), parameters, rows);
  return torch::stack(rows);
}

Tensor per_example_predictions(const std::function<Tensor(const Tensor&)>& forward, const Tensor& inputs) {
  const torch::NoGradGuard no_graph;
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < inputs.size(0); ++i)
    rows.push_back(forward(inputs.slice(0, i, i + 1)).reshape({1, -1}).to(torch::kDouble));
  return torch::cat(rows);
}

Tensor summed_over_outputs(const Tensor& kernel, int64_t outputs) {
  return kernel.view({kernel.size(0) / outputs, outputs, kernel.size(1) / outputs, outputs})
      .diagonal(0, 1, 3)
      .sum(-1);
}

}  // namespace plumb::test
