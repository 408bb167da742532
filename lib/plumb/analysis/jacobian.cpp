#include "plumb/analysis/jacobian.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <torch/torch.h>

#include "plumb/autograd/forward_derivative.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

namespace plumb {
namespace {

/// Applies `product` to a vector, or to every column of a matrix.
template <class Product>
Tensor by_columns(const Tensor& block, const Product& product) {
  if (block.dim() == 1) return product(block);
  std::vector<Tensor> columns;
  for (int64_t i = 0; i < block.size(1); ++i) columns.push_back(product(block.select(1, i)));
  return at::stack(columns, 1);
}

}  // namespace

Jacobian::Jacobian(NetworkFunction function, Tensor inputs, int64_t batch)
    : function_(std::move(function)), inputs_(std::move(inputs)), batch_(batch) {
  expects(batch_ >= 1, "a batch of {} examples; at least 1 is needed", batch_);
  function_.check(inputs_);
  const at::NoGradGuard no_grad;
  outputs_ = function_(inputs_.slice(0, 0, 1)).size(1);
}

at::TensorOptions Jacobian::options() const {
  return function_.parameters().front().options().requires_grad(false);
}

Tensor Jacobian::apply(const Tensor& v) const {
  expects((v.dim() == 1 || v.dim() == 2) && v.size(0) == columns(),
          "J v needs v of length {}, got a tensor of {} rows", columns(), v.dim() == 0 ? 0 : v.size(0));
  return by_columns(v, [&](const Tensor& column) { return column_product(column); });
}

Tensor Jacobian::apply_transposed(const Tensor& u) const {
  expects((u.dim() == 1 || u.dim() == 2) && u.size(0) == rows(),
          "J' u needs u of length {}, got a tensor of {} rows", rows(), u.dim() == 0 ? 0 : u.size(0));
  return by_columns(u, [&](const Tensor& column) { return row_product(column); });
}

Tensor Jacobian::column_product(const Tensor& v) const {
  std::vector<Tensor> tangents;
  int64_t begin = 0;
  for (const Tensor& parameter : function_.parameters()) {
    tangents.push_back(v.slice(0, begin, begin + parameter.numel()).view_as(parameter).to(options()));
    begin += parameter.numel();
  }
  const NetworkFunction::Differentiation differentiation(function_);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const Tensor inputs = inputs_.slice(0, i, std::min(inputs_.size(0), i + batch_)).detach();
    parts.push_back(
        autograd::jvp_of_parameters([&] { return function_(inputs); }, function_.parameters(), tangents)
            .flatten());
  }
  return at::cat(parts);
}

Tensor Jacobian::row_product(const Tensor& u) const {
  const NetworkFunction::Differentiation differentiation(function_);
  Tensor product = at::zeros({columns()}, options());
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const int64_t end = std::min(inputs_.size(0), i + batch_);
    const Tensor predictions = function_(inputs_.slice(0, i, end).detach());
    if (!predictions.requires_grad()) continue;  // no parameter reaches the outputs
    const Tensor cotangent =
        u.slice(0, i * outputs_, end * outputs_).view_as(predictions).to(predictions.options());
    const auto gradients =
        torch::autograd::grad({predictions}, function_.parameters(), {cotangent}, {}, false, true);
    int64_t begin = 0;
    for (size_t p = 0; p < gradients.size(); ++p) {
      const int64_t size = function_.parameters()[p].numel();
      if (gradients[p].defined()) product.slice(0, begin, begin + size).add_(gradients[p].detach().flatten());
      begin += size;
    }
  }
  return product;
}

Tensor Jacobian::dense_by(KernelRoute route, bool batching) const {
  const NetworkFunction::Differentiation differentiation(function_);
  const KernelPlan plan(function_, {function_, trial_examples(inputs_)},
                        {.route = route,
                         .by_parameter = true,
                         .left = inputs_.size(0),
                         .right = inputs_.size(0),
                         .dtype = function_.parameters().front().scalar_type()});
  std::vector<int64_t> offsets{0};
  for (const Tensor& parameter : function_.parameters())
    offsets.push_back(offsets.back() + parameter.numel());
  Tensor dense = at::zeros({inputs_.size(0), outputs_, columns()}, options());
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const int64_t end = std::min(inputs_.size(0), i + batch_);
    const KernelRecording recording(function_, inputs_.slice(0, i, end));
    for (const KernelTerm& term :
         plan.capture(recording, 0, outputs_, batching ? plan.outputs_at_once(end - i) : 1)) {
      const auto p = static_cast<size_t>(term.parameter);
      const at::NoGradGuard no_grad;
      dense.slice(0, i, end).slice(2, offsets[p], offsets[p + 1]).copy_(term.rows);
    }
  }
  return dense.flatten(0, 1);
}

Tensor Jacobian::dense() const {
  at::Generator generator = Seed(0).stream("Jacobian check");
  const Tensor u =
      (at::randint(2, {rows()}, generator, at::TensorOptions(at::kDouble)) * 2 - 1).to(options());
  const Tensor expected = row_product(u);
  const double allowed = options().dtype() == at::kDouble  ? 1e-10
                         : options().dtype() == at::kFloat ? 1e-4
                                                           : 0.1;
  double error = 0;
  // LibTorch's batching of an operator can be wrong; what is read from the graph can be, too.
  for (const auto& [route, batching] : {std::pair{KernelRoute::contraction, true},
                                        {KernelRoute::contraction, false},
                                        {KernelRoute::rows, false}}) {
    const Tensor dense = dense_by(route, batching);
    error = (at::mv(dense.t(), u) - expected).norm().item<double>();
    if (error <= allowed * expected.norm().item<double>()) return dense;
  }
  throw Error(
      fmt::format("the Jacobian fails its random vector-Jacobian check by {:.1e} by every route", error));
}

}  // namespace plumb
