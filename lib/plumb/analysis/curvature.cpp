#include "plumb/analysis/curvature.hpp"

#include <algorithm>
#include <utility>

#include <torch/torch.h>

#include "plumb/autograd/dense_gradient.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using TensorList = std::vector<Tensor>;

/// The derivatives of sum <outputs, weights> in `sources`, undefined where there is no dependence.
TensorList derivatives(const TensorList& outputs, const TensorList& sources, const TensorList& weights,
                       bool differentiable) {
  return torch::autograd::grad(outputs, sources, weights, /*retain_graph=*/true, differentiable,
                               /*allow_unused=*/true);
}

/// The same, of those outputs that can be differentiated; nothing defined where none can.
TensorList derivatives_where_any(const TensorList& outputs, const TensorList& sources,
                                 const TensorList& weights) {
  TensorList moving;
  TensorList their_weights;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !outputs[i].requires_grad()) continue;
    moving.push_back(outputs[i]);
    their_weights.push_back(weights[i]);
  }
  if (moving.empty()) return TensorList(sources.size());
  return derivatives(moving, sources, their_weights, false);
}

Tensor zeros_where_undefined(const Tensor& value, const Tensor& like) {
  return value.defined() ? value.detach() : at::zeros_like(like);
}

/// The gradient (b, c) of sum_i l(h_i, y_i) in the outputs, as a function that can itself be differentiated
/// if asked.
Tensor output_gradient(const Loss& loss, const Tensor& outputs, const Tensor& targets, bool differentiable) {
  return torch::autograd::grad({loss.sum(outputs, targets)}, {outputs}, {}, differentiable,
                               differentiable)[0];
}

/// f on a chunk, checked for shape.
Tensor forward_of_chunk(const LossOverExamples& data, const Tensor& inputs) {
  Tensor outputs = data.forward(inputs);
  expects(outputs.dim() == 2 && outputs.size(0) == inputs.size(0),
          "curvature: outputs of {} dimensions for {} inputs; shape (b, c) is expected", outputs.dim(),
          inputs.size(0));
  expects(outputs.requires_grad(),
          "curvature: the outputs do not depend on the parameters; a differentiable forward is expected");
  return outputs;
}

}  // namespace

CurvatureOperator::CurvatureOperator(LossOverExamples data) : data_(std::move(data)) {
  expects(!data_.parameters.empty(), "curvature: no parameters; at least one tensor is expected");
  expects(data_.inputs.defined() && data_.inputs.dim() > 0 && data_.inputs.size(0) > 0,
          "curvature: no examples; at least one is expected");
  const Tensor& targets = data_.targets;
  expects(targets.defined() && targets.dim() > 0 && targets.size(0) == data_.inputs.size(0),
          "curvature: {} targets of {} examples; one each is expected",
          targets.defined() && targets.dim() > 0 ? targets.size(0) : 0, data_.inputs.size(0));
  expects(data_.loss.takes(target_kind(targets)), "curvature: the loss does not take targets of this kind");
  expects(data_.chunk > 0, "curvature: chunks of {} examples; at least one is expected", data_.chunk);
  const Tensor& first = data_.parameters.front();
  for (const Tensor& parameter : data_.parameters) {
    expects(parameter.is_floating_point() && parameter.scalar_type() == first.scalar_type() &&
                parameter.device() == first.device(),
            "curvature: parameters of {} on {} and of {} on {}; one floating dtype and device are expected",
            c10::toString(first.scalar_type()), first.device().str(), c10::toString(parameter.scalar_type()),
            parameter.device().str());
    expects(parameter.requires_grad(), "curvature: a parameter of {} numbers that requires no gradient",
            parameter.numel());
    size_ += parameter.numel();
  }
}

TensorList CurvatureOperator::split(const Tensor& vector) const {
  TensorList parts;
  int64_t first = 0;
  for (const Tensor& parameter : data_.parameters) {
    parts.push_back(vector.narrow(0, first, parameter.numel()).reshape(parameter.sizes()));
    first += parameter.numel();
  }
  return parts;
}

void CurvatureOperator::add_parts(Tensor sum, const TensorList& parts) const {
  int64_t first = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t length = data_.parameters[i].numel();
    if (parts[i].defined()) sum.narrow(0, first, length).add_(autograd::dense_gradient(parts[i]).reshape(-1));
    first += length;
  }
}

Tensor CurvatureOperator::apply(const Tensor& x) const {
  expects(x.defined() && x.dim() == 2 && x.size(0) == size_,
          "curvature: A X of a block with {} rows; a block of shape ({}, b) is expected",
          x.defined() && x.dim() == 2 ? x.size(0) : -1, size_);
  const torch::AutoGradMode differentiate(true);
  std::vector<TensorList> columns;
  for (const Tensor& column : x.detach().to(options()).unbind(1)) columns.push_back(split(column));
  // In float64, so that where the chunks are cut is not to be seen in a float32 result.
  Tensor sum = at::zeros(x.sizes(), options().dtype(at::kDouble));
  const int64_t n = data_.inputs.size(0);
  for (int64_t first = 0; first < n; first += data_.chunk) {
    const int64_t length = std::min(data_.chunk, n - first);
    const auto products = chunk_products(data_.inputs.narrow(0, first, length),
                                         data_.targets.narrow(0, first, length), columns);
    for (size_t j = 0; j < products.size(); ++j)
      add_parts(sum.select(1, static_cast<int64_t>(j)), products[j]);
  }
  return sum.mul_(data_.loss.scale(n)).to(options());
}

std::vector<TensorList> HessianOperator::chunk_products(const Tensor& inputs, const Tensor& targets,
                                                        const std::vector<TensorList>& columns) const {
  const TensorList& w = data().parameters;
  const Tensor value = data().loss.sum(forward_of_chunk(data(), inputs), targets);
  const TensorList gradient = derivatives({value}, w, {}, true);
  std::vector<TensorList> products;
  for (const TensorList& v : columns) products.push_back(derivatives_where_any(gradient, w, v));
  return products;
}

std::vector<TensorList> OutputCurvatureOperator::chunk_products(
    const Tensor& inputs, const Tensor& targets, const std::vector<TensorList>& columns) const {
  const TensorList& w = data().parameters;
  const Tensor outputs = forward_of_chunk(data(), inputs);
  const BlockFunction curvature = output_curvature(outputs.detach(), targets);
  // u -> J^T u is linear, so its derivative in u along v is J v: a product with J from two with its
  // transpose.
  const Tensor u = at::zeros_like(outputs).detach().requires_grad_();
  const TensorList pulled_back = derivatives({outputs}, w, {u}, true);
  std::vector<TensorList> products;
  for (const TensorList& v : columns) {
    const Tensor change = zeros_where_undefined(derivatives_where_any(pulled_back, {u}, v)[0], outputs);
    products.push_back(derivatives({outputs}, w, {curvature(change)}, false));
  }
  return products;
}

BlockFunction GaussNewtonOperator::output_curvature(const Tensor& outputs, const Tensor& targets) const {
  const Tensor h = outputs.detach().requires_grad_();
  const Tensor gradient = output_gradient(data().loss, h, targets, true);
  return [h, gradient](const Tensor& change) {
    return zeros_where_undefined(derivatives_where_any({gradient}, {h}, {change})[0], h);
  };
}

BlockFunction FisherOperator::output_curvature(const Tensor& outputs, const Tensor& targets) const {
  const Tensor h = outputs.detach().requires_grad_();
  TensorList gradients;      // (b, c) each
  TensorList probabilities;  // (b, 1) each
  if (labels_ == FisherLabels::given) {
    gradients.push_back(output_gradient(data().loss, h, targets, false));
    probabilities.push_back(at::ones({outputs.size(0), 1}, outputs.options()));
  } else {
    expects(target_kind(targets) == TargetKind::classes,
            "Fisher matrix: the model's labels are classes, the targets real numbers; ask for given ones");
    const Tensor p = at::softmax(outputs, 1);
    for (int64_t k = 0; k < outputs.size(1); ++k) {
      gradients.push_back(output_gradient(data().loss, h, at::full_like(targets, k), false));
      probabilities.push_back(p.narrow(1, k, 1));
    }
  }
  return [gradients, probabilities](const Tensor& change) {
    Tensor sum = at::zeros_like(change);
    for (size_t k = 0; k < gradients.size(); ++k)
      sum += probabilities[k] * gradients[k] * (gradients[k] * change).sum(1, /*keepdim=*/true);
    return sum;
  };
}

}  // namespace plumb
