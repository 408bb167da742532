#include "plumb/analysis/jacobian.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <torch/torch.h>

#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/dense_gradient.hpp"
#include "plumb/autograd/no_grad_watch.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

bool all_finite(const Tensor& values) { return values.isfinite().all().item<bool>(); }

/// Marks the parameters that a gradient of the predictions reaches.
void mark_reached(const Tensor& predictions, const std::vector<Tensor>& parameters,
                  std::vector<bool>& reached) {
  const auto recorded = autograd::read_recorded_uses(predictions, parameters);
  for (const auto& use : recorded.uses) reached[static_cast<size_t>(use.parameter)] = true;
  for (size_t p = 0; p < reached.size(); ++p)
    if (!recorded.unrecognised[p].empty()) reached[p] = true;
}

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
  function_.check(inputs_, batch_);
  const NetworkFunction::Differentiation differentiation(function_);
  std::vector<bool> reached(function_.parameters().size(), false);
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const autograd::NoGradWatch watch;
    const Tensor predictions = function_(block(i));
    hides_operators_ = hides_operators_ || watch.saw_operators();
    outputs_ = predictions.size(1);
    if (!predictions.requires_grad()) refuse_without_graph(function_, block(i));
    mark_reached(predictions, function_.parameters(), reached);
    if (std::all_of(reached.begin(), reached.end(), [](bool one) { return one; })) break;
  }
  notes_ = notes_of_unreached(function_, reached, inputs_);
}

at::TensorOptions Jacobian::options() const {
  return function_.parameters().front().options().requires_grad(false);
}

Tensor Jacobian::block(int64_t begin) const {
  return inputs_.slice(0, begin, std::min(inputs_.size(0), begin + batch_)).detach();
}

Tensor Jacobian::apply(const Tensor& v) const {
  expects((v.dim() == 1 || v.dim() == 2) && v.size(0) == columns(),
          "J v needs v of length {}, got a tensor of {} rows", columns(), v.dim() == 0 ? 0 : v.size(0));
  settle();
  if (!route_) route_ = agreeing_route();
  Tensor product = by_columns(v, [&](const Tensor& column) { return column_product(column, *route_); });
  if (all_finite(product) || !all_finite(v)) return product;
  // 0 times infinity where a derivative is infinite (the root of a ReLU at 0) can be an order of the factors.
  product = by_columns(
      v, [&](const Tensor& column) { return column_product(column, autograd::JvpRoute::double_backward); });
  if (!all_finite(product))
    throw Error("J v is not finite, although the predictions are: some derivative is infinite or undefined");
  return product;
}

Tensor Jacobian::apply_transposed(const Tensor& u) const {
  expects((u.dim() == 1 || u.dim() == 2) && u.size(0) == rows(),
          "J' u needs u of length {}, got a tensor of {} rows", rows(), u.dim() == 0 ? 0 : u.size(0));
  settle();
  const Tensor product = by_columns(u, [&](const Tensor& column) { return row_product(column, batch_); });
  if (!all_finite(product) && all_finite(u))
    throw Error("J' u is not finite, although the predictions are: some derivative is infinite or undefined");
  return product;
}

void Jacobian::settle() const {
  if (settled_) return;
  CheckDraws draws;
  const Tensor u = draws.weights(rows()).to(options());
  Tensor pulled_back = row_product(u, batch_);
  const int64_t other = few_examples() ? 1 : (std::min(batch_, inputs_.size(0)) + 1) / 2;
  if (batch_ > 1 && inputs_.size(0) > 1 && !agree(pulled_back, row_product(u, other))) {
    batch_ = 1;
    pulled_back = row_product(u, batch_);
  }
  pulled_back_ = TransposedProduct{u, pulled_back};
  settled_ = true;
}

bool Jacobian::agree(const Tensor& one, const Tensor& other) const {
  const bool wide = options().dtype() == at::kDouble, few = few_examples();
  // Parts that vanish round relative to the whole. Where rounding is mistaken for a difference, examples go
  // one by one: nothing is lost with few of them.
  const double share = wide ? (few ? 1e-12 : 1e-10) : (few ? 1e-5 : 1e-3);
  const double rounding = (wide ? 1e-14 : few ? 3e-8 : 1e-6) * fast_norm(one);
  int64_t begin = 0;
  for (const Tensor& parameter : function_.parameters()) {
    const int64_t end = begin + parameter.numel();
    const double allowed = share * fast_norm(one.slice(0, begin, end)) + rounding;
    if (!(fast_norm(one.slice(0, begin, end) - other.slice(0, begin, end)) <= allowed)) return false;
    begin = end;
  }
  return true;
}

autograd::JvpRoute Jacobian::agreeing_route() const {
  CheckDraws draws;
  const auto& [u, pulled_back] = *pulled_back_;
  // Every parameter contributes a number of about the same size, down to those whose gradient may be
  // rounding.
  const double largest = fast_norm(pulled_back);
  const double least = (options().dtype() == at::kDouble ? 1e-6 : 1e-2) * largest;
  Tensor v = draws.weights(columns()).to(options());
  int64_t begin = 0;
  for (const Tensor& parameter : function_.parameters()) {
    const int64_t end = begin + parameter.numel();
    const double norm = fast_norm(pulled_back.slice(0, begin, end));
    v.slice(0, begin, end).div_(largest > 0 ? std::max(norm, least) : 1);
    begin = end;
  }
  // An error of any size is orthogonal to one u by chance, now and then; hardly to three.
  std::vector<TransposedProduct> tests{{u, pulled_back}};
  while (tests.size() < 3) {
    const Tensor another = draws.weights(rows()).to(options());
    tests.push_back({another, row_product(another, batch_)});
  }
  // What forward mode gets wrong can be a branch of small share. Therefore it is taken where it leaves no
  // question or the other way agrees less, and after that where backward does not see a part of forward.
  const double allowed = allowed_capture_error(v.scalar_type());
  const double enough = hides_operators_ ? allowed : 0.03 * allowed;
  std::vector<autograd::JvpRoute> routes{autograd::JvpRoute::automatic, autograd::JvpRoute::double_backward};
  if (hides_operators_) std::swap(routes[0], routes[1]);
  std::optional<autograd::JvpRoute> best;
  double least_error = std::numeric_limits<double>::infinity();
  std::string refusal;
  for (const auto route : routes) {
    try {
      const Tensor product = column_product(v, route);
      double error = 0;
      for (const TransposedProduct& test : tests) error = std::max(error, disagreement(test, v, product));
      if (error <= enough) return route;
      if (!best || error < least_error) {
        best = route;
        least_error = error;
      }
    } catch (const ContractError& error) {
      refusal = error.what();
    }
  }
  if (best && least_error <= allowed) return *best;
  if (best && !std::isfinite(least_error))
    refusal = "they are not finite";
  else if (best)
    refusal = fmt::format("<u, J v> and <J' u, v> differ by {:.1e} of their size, first for parameter {}",
                          least_error, disagreeing_parameter(u, pulled_back, v, *best));
  throw Error(fmt::format("J v cannot be computed so that it is the transposed of J' u: {}", refusal));
}

double Jacobian::disagreement(const TransposedProduct& test, const Tensor& v, const Tensor& product) const {
  double size = fast_norm(test.u) * fast_norm(product), parts = 0;
  int64_t begin = 0;
  for (const Tensor& parameter : function_.parameters()) {
    const int64_t end = begin + parameter.numel();
    parts = std::hypot(parts,
                       fast_norm(test.pulled_back.slice(0, begin, end)) * fast_norm(v.slice(0, begin, end)));
    begin = end;
  }
  const double found = at::dot(test.u.to(at::kDouble), product.to(at::kDouble)).item<double>();
  const double expected = at::dot(test.pulled_back.to(at::kDouble), v.to(at::kDouble)).item<double>();
  const double difference = std::abs(found - expected) / std::max({size, parts, 1e-300});
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

std::string Jacobian::disagreeing_parameter(const Tensor& u, const Tensor& pulled_back, const Tensor& v,
                                            autograd::JvpRoute route) const {
  int64_t begin = 0;
  for (size_t p = 0; p < function_.parameters().size(); ++p) {
    const int64_t end = begin + function_.parameters()[p].numel();
    Tensor only = at::zeros_like(v);
    only.slice(0, begin, end).copy_(v.slice(0, begin, end));
    const double found = at::dot(u, column_product(only, route)).item<double>();
    const double expected = at::dot(pulled_back.slice(0, begin, end), v.slice(0, begin, end)).item<double>();
    const double size = std::max(std::abs(found), std::abs(expected));
    if (!(std::abs(found - expected) <= 1e-3 * size)) return function_.names()[p];
    begin = end;
  }
  return "(none alone)";
}

Tensor Jacobian::column_product(const Tensor& v, autograd::JvpRoute route) const {
  std::vector<Tensor> tangents;
  int64_t begin = 0;
  for (const Tensor& parameter : function_.parameters()) {
    tangents.push_back(v.slice(0, begin, begin + parameter.numel()).view_as(parameter).to(options()));
    begin += parameter.numel();
  }
  const NetworkFunction::Differentiation differentiation(function_);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const Tensor inputs = block(i);
    parts.push_back(autograd::jvp_of_parameters([&] { return function_(inputs); }, function_.parameters(),
                                                tangents, route)
                        .flatten());
  }
  return at::cat(parts);
}

Tensor Jacobian::row_product(const Tensor& u, int64_t batch) const {
  const NetworkFunction::Differentiation differentiation(function_);
  Tensor product = at::zeros({columns()}, options());
  for (int64_t i = 0; i < inputs_.size(0); i += batch) {
    const int64_t end = std::min(inputs_.size(0), i + batch);
    const Tensor predictions = function_(inputs_.slice(0, i, end).detach());
    if (!predictions.requires_grad()) continue;  // no parameter reaches the outputs
    const Tensor cotangent = u.slice(0, i * outputs_, end * outputs_)
                                 .reshape(predictions.sizes())
                                 .to(predictions.options().requires_grad(false));
    const auto gradients =
        torch::autograd::grad({predictions}, function_.parameters(), {cotangent}, {}, false, true);
    int64_t begin = 0;
    for (size_t p = 0; p < gradients.size(); ++p) {
      const int64_t size = function_.parameters()[p].numel();
      if (gradients[p].defined())
        product.slice(0, begin, begin + size).add_(autograd::dense_gradient(gradients[p]).flatten());
      begin += size;
    }
  }
  return product;
}

Tensor Jacobian::dense_by(const KernelAttempt& attempt) const {
  const NetworkFunction::Differentiation differentiation(function_);
  const KernelPlan plan(function_, {function_, trial_examples(inputs_)},
                        {.route = attempt.route,
                         .by_parameter = true,
                         .left = inputs_.size(0),
                         .right = inputs_.size(0),
                         .dtype = function_.parameters().front().scalar_type(),
                         .examine = attempt.examine,
                         .reasons = attempt.reasons});
  std::vector<int64_t> offsets{0};
  for (const Tensor& parameter : function_.parameters())
    offsets.push_back(offsets.back() + parameter.numel());
  CheckDraws draws;
  const Tensor weights = draws.weights(rows()).view({-1, outputs_}).to(inputs_.device());
  Tensor dense = at::zeros({inputs_.size(0), outputs_, columns()}, options());
  for (int64_t i = 0; i < inputs_.size(0); i += batch_) {
    const int64_t end = std::min(inputs_.size(0), i + batch_);
    const KernelRecording recording(function_, block(i), attempt.route != KernelRoute::rows);
    CaptureCheck check{weights.slice(0, i, end), std::vector<bool>(offsets.size() - 1, true)};
    const int64_t at_once = attempt.batching ? plan.outputs_at_once(end - i) : 1;
    for (const KernelTerm& term : plan.capture(recording, 0, outputs_, at_once, &check)) {
      const auto p = static_cast<size_t>(term.parameter);
      const at::NoGradGuard no_grad;
      dense.slice(0, i, end).slice(2, offsets[p], offsets[p + 1]).copy_(term.rows);
    }
    if (!check.passed()) throw CaptureMismatch(check.wrong, function_.names());
  }
  return dense.flatten(0, 1);
}

Tensor Jacobian::dense() const {
  settle();
  std::vector<std::string> notes;
  // Contraction keeps rows of everything; where it does not agree, backward passes alone do.
  return first_that_agrees(KernelRoute::automatic, notes, [&](KernelAttempt attempt) {
    if (attempt.route == KernelRoute::automatic) attempt.route = KernelRoute::contraction;
    return dense_by(attempt);
  });
}

}  // namespace plumb
