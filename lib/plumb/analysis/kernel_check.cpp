#include "plumb/analysis/kernel_check.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/dense_gradient.hpp"

namespace plumb {
namespace {

double inner(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].defined() && b[i].defined()) sum += at::dot(a[i], b[i]).item<double>();
  return sum;
}

double squared(const std::vector<Tensor>& a) {
  double sum = 0;
  for (const Tensor& part : a)
    if (part.defined()) sum += std::pow(fast_norm(part), 2);
  return sum;
}

KernelIdentity identity_of(const Tensor& kernel, const Tensor& u, const Tensor& v, bool symmetric) {
  KernelIdentity identity;
  const Tensor right = v.to(kernel.options()), left = symmetric ? right : u.to(kernel.options());
  const Tensor product = at::mv(kernel, right).to(at::kDouble);
  identity.of_kernel = at::dot(u.to(product.device()), product).item<double>();
  // The root mean square over signs of the weights; for v = u, the mean.
  identity.size =
      symmetric ? at::dot(left.square(), kernel.diagonal()).item<double>()
                : std::sqrt(at::dot(left.square(), at::mv(kernel.square(), right.square())).item<double>());
  return identity;
}

void add_gradients(KernelIdentity& identity, const std::vector<Tensor>& left,
                   const std::vector<Tensor>& right, bool symmetric, double& left_size, double& right_size) {
  const double mine = squared(left);
  left_size += mine;
  right_size += symmetric ? mine : squared(right);
  identity.of_gradients += symmetric ? mine : inner(left, right);
}

}  // namespace

double KernelIdentity::error() const { return std::abs(of_kernel - of_gradients) / std::max(size, 1e-300); }

KernelIdentity kernel_identity(const Tensor& kernel, const Tensor& u, const Tensor& v,
                               const std::vector<Tensor>& left, const std::vector<Tensor>& right) {
  const bool symmetric = u.is_same(v);
  KernelIdentity identity = identity_of(kernel, u, v, symmetric);
  double left_size = 0, right_size = 0;
  add_gradients(identity, left, right, symmetric, left_size, right_size);
  // Where G is of low rank the weights can cancel in it, or give more than on average.
  identity.size = std::max(identity.size, std::sqrt(left_size * right_size));
  return identity;
}

KernelIdentity summed_kernel_identity(const NetworkFunction& function, const Tensor& kernel,
                                      const Tensor& left, const Tensor& right, int64_t c, bool alone) {
  const bool symmetric = left.is_same(right);
  CheckDraws draws;
  struct Side {
    Tensor chosen, predictions, weights;
  };
  const NetworkFunction::Differentiation differentiation(function);
  const auto take = [&](const Tensor& inputs) {
    const int64_t n = inputs.size(0);
    Side side;
    side.chosen = at::arange(0, n, std::max<int64_t>(1, n / 8)).to(inputs.device());
    const Tensor chosen = inputs.detach().index_select(0, side.chosen);
    std::vector<Tensor> parts;
    for (const Tensor& part : chosen.split(alone ? 1 : chosen.size(0))) parts.push_back(function(part));
    side.predictions = at::cat(parts);
    side.weights = draws.weights(side.chosen.size(0)).to(inputs.device());
    return side;
  };
  const Side rows = take(left), columns = symmetric ? rows : take(right);
  const auto gradients_of = [&](const Side& side, int64_t k) {
    std::vector<Tensor> found(function.parameters().size());
    if (!side.predictions.requires_grad()) return found;
    Tensor cotangents = at::zeros_like(side.predictions, side.predictions.options().requires_grad(false));
    cotangents.select(1, k).copy_(side.weights);
    found = torch::autograd::grad({side.predictions}, function.parameters(), {cotangents},
                                  /*retain_graph=*/true, /*create_graph=*/false, /*allow_unused=*/true);
    for (Tensor& gradient : found)
      if (gradient.defined()) gradient = autograd::dense_gradient(gradient).reshape({-1});
    return found;
  };
  const Tensor seen = kernel.index_select(0, rows.chosen).index_select(1, columns.chosen);
  KernelIdentity identity = identity_of(seen, rows.weights, columns.weights, symmetric);
  double left_size = 0, right_size = 0;
  for (int64_t k = 0; k < c; ++k) {
    const auto mine = gradients_of(rows, k);
    add_gradients(identity, mine, symmetric ? mine : gradients_of(columns, k), symmetric, left_size,
                  right_size);
  }
  identity.size = std::max(identity.size, std::sqrt(left_size * right_size));
  return identity;
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

double allowed_capture_error(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return 1e-9;
    case at::kFloat:
      return 1e-4;
    default:
      return 0.1;
  }
}

}  // namespace plumb
