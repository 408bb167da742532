#include "plumb/analysis/kernel_check.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/core/random.hpp"

namespace plumb {
namespace {

double inner(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].defined() && b[i].defined()) sum += at::dot(a[i].flatten(), b[i].flatten()).item<double>();
  return sum;
}

/// <a, a>, row by row: LibTorch takes the norms of rows with all threads and vector instructions, the norm or
/// the product of whole tensors with neither.
double squared(const std::vector<Tensor>& a) {
  double sum = 0;
  for (const Tensor& part : a)
    if (part.defined())
      sum +=
          at::linalg_vector_norm(part.reshape({part.dim() > 0 ? part.size(0) : 1, -1}), 2, at::IntArrayRef{1})
              .to(at::kDouble)
              .square()
              .sum()
              .item<double>();
  return sum;
}

Tensor random_signs(int64_t count, at::Generator& generator, const at::Device& device) {
  return (at::randint(2, {count}, generator, at::TensorOptions(at::kDouble)) * 2 - 1).to(device);
}

}  // namespace

KernelIdentity::KernelIdentity(const NetworkFunction& function, const Tensor& left, const Tensor& right,
                               KernelOutputs outputs, int64_t c, const std::vector<int64_t>& parameters,
                               uint64_t draw)
    : function_(function), outputs_(outputs), c_(c), symmetric_(left.is_same(right)) {
  for (const int64_t p : parameters) weights_.push_back(function.parameters()[static_cast<size_t>(p)]);
  at::Generator generator = Seed(draw).stream("kernel check");
  left_ = draw_side(left, generator);
  right_ = symmetric_ ? left_ : draw_side(right, generator);
}

KernelIdentity::Side KernelIdentity::draw_side(const Tensor& inputs, at::Generator& generator) const {
  const int64_t n = inputs.size(0);
  if (outputs_ == KernelOutputs::pairs) return {inputs, {}, random_signs(n * c_, generator, inputs.device())};
  const Tensor chosen = at::arange(0, n, std::max<int64_t>(1, n / 8)).to(inputs.device());
  return {inputs.index_select(0, chosen), chosen, random_signs(chosen.size(0), generator, inputs.device())};
}

double KernelIdentity::error(const Tensor& kernel, int64_t examples, const Tensor& predictions) const {
  Tensor seen = kernel;
  if (left_.chosen.defined()) seen = kernel.index_select(0, left_.chosen).index_select(1, right_.chosen);
  const Tensor product = at::mv(seen, right_.signs.to(seen.scalar_type())).to(at::kDouble);
  const double found = at::dot(left_.signs, product).item<double>();
  // Their root mean square; for v = u, their mean.
  const double usual = symmetric_ ? seen.diagonal().sum(at::kDouble).item<double>()
                                  : at::linalg_vector_norm(seen).item<double>();
  double expected = 0, left_size = 0, right_size = 0;
  const auto take = [&](const std::vector<Tensor>& left, const std::vector<Tensor>& right) {
    const double mine = squared(left);
    left_size += mine;
    right_size += symmetric_ ? mine : squared(right);
    expected += symmetric_ ? mine : inner(left, right);
  };
  if (outputs_ == KernelOutputs::pairs) {
    const auto left = pulled_back(left_.inputs, left_.signs.view({-1, c_}), examples, predictions);
    take(left, symmetric_ ? left : pulled_back(right_.inputs, right_.signs.view({-1, c_}), examples));
  } else {
    const auto of_output = [&](const Side& side, int64_t k) {
      Tensor cotangents = at::zeros({side.signs.size(0), c_}, side.signs.options());
      cotangents.select(1, k).copy_(side.signs);
      return pulled_back(side.inputs, cotangents, side.signs.size(0));
    };
    for (int64_t k = 0; k < c_; ++k) {
      const auto left = of_output(left_, k);
      take(left, symmetric_ ? left : of_output(right_, k));
    }
  }
  return std::abs(found - expected) / std::max({std::sqrt(left_size * right_size), usual, 1e-300});
}

std::vector<Tensor> KernelIdentity::pulled_back(const Tensor& inputs, const Tensor& cotangents,
                                                int64_t examples, const Tensor& predictions) const {
  const NetworkFunction::Differentiation differentiation(function_);
  std::vector<Tensor> sums(weights_.size());
  if (predictions.defined()) examples = inputs.size(0);
  for (int64_t begin = 0; begin < inputs.size(0); begin += examples) {
    const int64_t end = std::min(inputs.size(0), begin + examples);
    const Tensor part = predictions.defined() ? predictions : function_(inputs.slice(0, begin, end).detach());
    if (!part.requires_grad()) continue;
    const Tensor cotangent = cotangents.slice(0, begin, end).to(part.scalar_type());
    const auto gradients =
        torch::autograd::grad({part}, weights_, {cotangent}, /*retain_graph=*/predictions.defined(),
                              /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < sums.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const Tensor gradient = gradients[i].detach();
      // A gradient may share its memory with others: only a copy is added to.
      if (sums[i].defined())
        sums[i].add_(gradient);
      else
        sums[i] = examples >= inputs.size(0) ? gradient : gradient.clone();
    }
  }
  return sums;
}

double allowed_kernel_error(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return 1.5e-8;
    case at::kFloat:
      return 3.5e-4;
    default:
      return 0.1;  // bfloat16, half
  }
}

}  // namespace plumb
