#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/functorch/BatchedTensorImpl.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/analysis/booked_examples.hpp"
#include "plumb/analysis/kernel_attempts.hpp"
#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/batched.hpp"
#include "plumb/autograd/dense_gradient.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using autograd::ParameterUse;
using autograd::UseKind;

/// The inputs of a matrix use for each group, (examples, T, a): made once for all outputs.
std::vector<Tensor> input_factors(const ParameterUse& use, int64_t examples, at::ScalarType dtype) {
  std::vector<Tensor> groups;
  for (int64_t g = 0; g < use.convolution.groups; ++g)
    groups.push_back(TermInputs(use, examples, g, 0, dtype).slice(0, examples));
  return groups;
}

/// The gradients of some outputs of each example with respect to the parameter, (examples, outputs, P), from
/// the cotangents (outputs, ...).
Tensor matrix_gradients(const Tensor& cotangents, const ParameterUse& use, int64_t examples,
                        const std::vector<Tensor>& factors) {
  const int64_t outputs = cotangents.size(0);
  std::vector<Tensor> groups;
  for (size_t g = 0; g < factors.size(); ++g) {
    std::vector<Tensor> d;
    for (int64_t k = 0; k < outputs; ++k)
      d.push_back(use.by_channel(cotangents[k], examples, static_cast<int64_t>(g)));
    const Tensor product = at::bmm(at::cat(d, 1), factors[g]);  // (examples, outputs b, a)
    groups.push_back(product.unflatten(1, {outputs, -1}));
  }
  Tensor gradient = groups.size() == 1 ? groups[0] : at::cat(groups, 2);  // (examples, outputs, b, a)
  // A product's matrix is (a, b); a lookup's table (a, b) too.
  if (use.kind != UseKind::convolution && !use.transposed) gradient = gradient.transpose(2, 3);
  return gradient.flatten(2);
}

/// The same for an elementwise use, of one output: (examples, P).
Tensor elementwise_gradient(const Tensor& cotangent, const ParameterUse& use, int64_t examples,
                            at::ScalarType dtype) {
  const Tensor d = cotangent.to(dtype);
  const Tensor product =
      use.examples_first(use.kind == UseKind::scale ? d * use.saved.to(dtype) : d, examples);
  std::vector<int64_t> shape(static_cast<size_t>(product.dim()), 1);
  shape[0] = examples;
  const auto shift = static_cast<std::ptrdiff_t>(shape.size() - use.shape.size());
  for (size_t i = 0; i < use.shape.size(); ++i)
    if (shift > 0 || i > 0) shape[static_cast<size_t>(shift) + i] = use.shape[i];
  return at::sum_to(product, shape).flatten(1) * use.factor;
}

}  // namespace

KernelRecording::KernelRecording(const NetworkFunction& function, const Tensor& examples, bool reads_graph)
    : inputs(examples.detach()) {
  if (!reads_graph) return;
  predictions = function(inputs);
  auto recorded = autograd::read_recorded_uses(predictions, function.parameters());
  uses = std::move(recorded.uses);
  unrecognised = std::move(recorded.unrecognised);
  fingerprint = recorded.fingerprint;
}

Tensor trial_examples(const Tensor& inputs) {
  constexpr int64_t few = 8, some = 3;
  expects(inputs.dim() >= 1 && inputs.size(0) > 0, "the batch of inputs is empty");
  const bool small = inputs.size(0) <= 64 && inputs.numel() <= 16384;
  if (inputs.size(0) > 1) return inputs.slice(0, 0, inputs.size(0) <= few || small ? inputs.size(0) : some);
  std::vector<int64_t> repeats(static_cast<size_t>(inputs.dim()), 1);
  repeats[0] = some;
  return inputs.repeat(repeats);
}

std::optional<std::vector<Tensor>> KernelPlan::batched(
    const Tensor& cotangents,
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& pass) const {
  auto found = autograd::functional::unchecked_batch({cotangents}, pass);
  // A backward pass within the pass (recomputation) accumulates: what it leaves must not outlive the batch.
  for (const Tensor& parameter : function_.module().parameters())
    if (parameter.grad().defined() && at::functorch::isBatchedTensor(parameter.grad()))
      parameter.mutable_grad() = Tensor();
  return found;
}

KernelPlan::Cotangents KernelPlan::cotangents_of(const KernelRecording& recording, int64_t first,
                                                 int64_t last, const Tensor& weighted) const {
  const Tensor& predictions = recording.predictions;
  const auto options = predictions.options().requires_grad(false);
  const int64_t outputs = last - first, all = outputs + (weighted.defined() ? 1 : 0);
  const std::vector<int64_t> shape{all, predictions.size(0), outputs_};
  Tensor units = all == 1 && outputs_ == 1 ? at::ones(shape, options) : at::zeros(shape, options);
  for (int64_t k = first; k < last && outputs_ > 1; ++k) units.select(0, k - first).select(1, k).fill_(1);
  if (weighted.defined()) units[outputs].copy_(weighted);
  Cotangents cotangents;
  const auto part = [&](const Tensor& d) {
    cotangents.of_outputs.push_back(d.defined() ? d.slice(0, 0, outputs) : d);
    if (weighted.defined()) cotangents.of_weights.push_back(d.defined() ? d[outputs] : d);
  };
  if (all > 1) {
    const auto together = batched(units, [&](const std::vector<Tensor>& unit) {
      return autograd::pull_back(predictions, unit[0], recording.uses);
    });
    if (together) {
      for (const Tensor& d : *together) part(d);
      return cotangents;
    }
  }
  std::vector<Tensor> singles(recording.uses.size());
  for (int64_t k = 0; k < all; ++k) {
    const auto arrived = autograd::pull_back(predictions, units[k], recording.uses);
    for (size_t use = 0; use < singles.size(); ++use) {
      const Tensor& one = arrived[use];
      if (!one.defined()) continue;
      if (all == 1) {
        singles[use] = one.unsqueeze(0);
        continue;
      }
      if (!singles[use].defined()) singles[use] = one.unsqueeze(0).repeat_interleave(all, 0).zero_();
      singles[use].select(0, k).copy_(one);
    }
  }
  for (const Tensor& d : singles) part(d);
  return cotangents;
}

std::vector<KernelTerm> KernelPlan::capture(const KernelRecording& recording, int64_t first, int64_t last,
                                            int64_t at_once, CaptureCheck* check) const {
  const int64_t examples = recording.inputs.size(0);
  const auto options = recording.inputs.options().dtype(task_.dtype).requires_grad(false);
  const at::NoGradGuard no_grad;
  std::vector<ParameterUse> uses = recording.uses;
  std::vector<bool> read(function_.parameters().size(), true);
  for (const int64_t p : unrecognised_) read[static_cast<size_t>(p)] = false;
  if (task_.route != KernelRoute::rows) {
    mark_reached(recording);
    bool same = uses.size() == layouts_.size() && recording.predictions.size(1) == outputs_;
    std::vector<std::string> other(read.size());
    for (size_t i = 0; same && i < uses.size(); ++i) {
      const auto p = static_cast<size_t>(uses[i].parameter);
      uses[i].examples_second = layouts_[i].examples_second;
      same = uses[i].parameter == layouts_[i].parameter;
      if (read[p] && !(layout_of(uses[i], examples) == layouts_[i]))
        other[p] = fmt::format("{} that does not grow with the number of examples", uses[i].node->name());
    }
    for (size_t p = 0; p < recording.unrecognised.size(); ++p)
      same &= recording.unrecognised[p].empty() || !read[p];
    if (!same) throw Error("the network's graph is another one for other examples");
    if (std::any_of(other.begin(), other.end(), [](const std::string& reason) { return !reason.empty(); }))
      throw CaptureMismatch(other, function_.names());
  }
  std::vector<KernelTerm> terms;
  std::vector<std::vector<Tensor>> factors(uses.size());  // of those that are kept as rows
  for (const Part& part : parts_) {
    terms.push_back(empty_term(part, uses[part.uses[0]], examples, first, last, options));
    if (part.form != TermForm::rows) continue;
    for (const size_t use : part.uses)
      if (uses[use].is_matrix()) factors[use] = input_factors(uses[use], examples, task_.dtype);
  }
  const bool checks = check != nullptr && !parts_.empty();
  const size_t parameters = function_.parameters().size();
  std::vector<Tensor> leaves;  // whose gradients are asked for
  std::vector<size_t> leaf_of;
  Tensor weighted;  // the cotangent of the check: (n, c), 0 outside of these outputs
  if (check != nullptr) {
    check->wrong.assign(parameters, "");
    check->gradients.assign(parameters, Tensor());
  }
  if (checks) {
    const auto of_predictions = recording.predictions.options().requires_grad(false);
    if (first == 0 && last == outputs_) {
      weighted = check->weights.to(of_predictions);
    } else {
      weighted = at::zeros_like(recording.predictions, of_predictions);
      weighted.slice(1, first, last).copy_(check->weights.slice(1, first, last));
    }
    for (size_t p = 0; p < parameters; ++p) {
      if (!check->watched[p] || !read[p]) continue;
      leaf_of.push_back(p);
      leaves.push_back(function_.parameters()[p]);
    }
  }
  // One more cotangent beside others costs less than a pass of its own, unless that is needed for gradients
  // anyway.
  const bool complete = check != nullptr && std::all_of(check->watched.begin(), check->watched.end(),
                                                        [](bool one) { return one; });
  const bool beside = checks && last - first <= at_once && at_once > 1 && !complete;
  BookedExamples booked(uses, read, examples);
  std::vector<Tensor> of_weights;
  for (int64_t k = first; k < last && !parts_.empty(); k += at_once) {
    const int64_t end = std::min(last, k + at_once);
    auto cotangents = cotangents_of(recording, k, end, beside ? weighted : Tensor());
    if (checks) booked.add(cotangents.of_outputs, check->weights.slice(1, k, end));
    if (beside) of_weights = std::move(cotangents.of_weights);
    for (size_t i = 0; i < parts_.size(); ++i)
      for (const size_t use : parts_[i].uses) {
        const Tensor& d = cotangents.of_outputs[use];
        if (parts_[i].form != TermForm::rows)
          keep_cotangents(parts_[i], d, uses[use], k - first, end - k, terms[i]);
        else if (d.defined())
          keep_rows(parts_[i], d, uses[use], k - first, factors[use], terms[i]);
      }
  }
  for (KernelTerm& term : terms) find_identity(term);
  std::vector<Tensor> gradients(parameters);
  if (checks) {
    if (!beside || !leaves.empty()) {
      auto arrived = autograd::pull_back(recording.predictions, weighted,
                                         beside ? std::vector<ParameterUse>() : recording.uses, leaves);
      const auto first_leaf = arrived.end() - static_cast<std::ptrdiff_t>(leaves.size());
      for (size_t i = 0; i < leaves.size(); ++i)
        gradients[leaf_of[i]] = autograd::dense_gradient(first_leaf[static_cast<std::ptrdiff_t>(i)]);
      arrived.erase(first_leaf, arrived.end());
      if (!beside) of_weights = std::move(arrived);
    }
    const double allowed = allowed_capture_error(recording.predictions.scalar_type());
    for (size_t i = 0; i < uses.size(); ++i) {
      const auto p = static_cast<size_t>(uses[i].parameter);
      if (!read[p]) continue;
      const double error = booked.error(i, of_weights, allowed);
      check->error = std::max(check->error, error);
      if (!(error <= allowed))
        check->wrong[p] = fmt::format("{} with cotangents that belong to other examples, off by {:.1e}",
                                      uses[i].node->name(), error);
    }
  }
  add_rows_of_unrecognised(recording.inputs, first, last, terms);
  if (check != nullptr) check_terms(recording, terms, gradients, of_weights, *check);
  return terms;
}

KernelTerm KernelPlan::empty_term(const Part& part, const ParameterUse& use, int64_t examples, int64_t first,
                                  int64_t last, const at::TensorOptions& options) const {
  KernelTerm term;
  term.form = part.form;
  term.parameter = part.parameter;
  term.outputs = last - first;
  term.first_output = first;
  if (part.form == TermForm::rows) {
    const int64_t weights = function_.parameters()[static_cast<size_t>(part.parameter)].numel();
    const int64_t biases = part.bias != 0 ? use.matrix_rows() * use.convolution.groups : 0;
    term.rows = at::zeros({examples, last - first, weights + biases}, options);
    return term;
  }
  term.inputs = TermInputs(use, examples, part.group, part.bias, task_.dtype);
  std::vector<int64_t> shape{examples, last - first, use.matrix_rows(), use.positions(examples)};
  if (part.form == TermForm::product) shape.pop_back();
  term.cotangents = at::empty(shape, options);  // keep_cotangents writes every output
  return term;
}

void KernelPlan::find_identity(KernelTerm& term) const {
  const Tensor& d = term.cotangents;
  if (term.form != TermForm::product || d.numel() == 0 || d.size(2) != outputs_) return;
  const double scale = d[0][0][term.first_output].item<double>();
  // LibTorch has no identity matrix of every dtype.
  const Tensor unit = at::eye(outputs_, d.options().dtype(at::kFloat))
                          .slice(0, term.first_output, term.first_output + term.outputs)
                          .to(d.scalar_type()) *
                      scale;
  // Cotangents that all vanish are no identity: the next block's may not.
  if (scale == 0 || !d.eq(unit).all().item<bool>()) return;
  term.form = TermForm::identity;
  term.scale = scale;
}

void KernelPlan::keep_rows(const Part& part, const Tensor& cotangents, const ParameterUse& use,
                           int64_t output, const std::vector<Tensor>& factors, KernelTerm& term) const {
  const int64_t examples = term.rows.size(0);
  const Tensor d = cotangents.to(task_.dtype);
  const Tensor rows = term.rows.slice(1, output, output + d.size(0));
  if (use.is_matrix()) {
    const Tensor gradients = matrix_gradients(d, use, examples, factors);
    rows.slice(2, 0, gradients.size(2)).add_(gradients);
    if (part.bias == 0) return;
    for (int64_t k = 0; k < d.size(0); ++k) {
      const Tensor first = use.examples_first(d[k], examples);
      const Tensor sums = use.kind == UseKind::convolution
                              ? first.flatten(2).sum(2)
                              : first.reshape({examples, -1, first.size(-1)}).sum(1);
      rows.select(1, k).slice(1, gradients.size(2)).add_(sums, part.bias);
    }
    return;
  }
  for (int64_t k = 0; k < d.size(0); ++k)
    rows.select(1, k).add_(elementwise_gradient(d[k], use, examples, task_.dtype));
}

void KernelPlan::keep_cotangents(const Part& part, const Tensor& cotangents, const ParameterUse& use,
                                 int64_t output, int64_t outputs, KernelTerm& term) const {
  if (!cotangents.defined()) term.cotangents.slice(1, output, output + outputs).zero_();
  for (int64_t k = 0; k < (cotangents.defined() ? outputs : 0); ++k) {
    const Tensor d = use.by_channel(cotangents[k], term.cotangents.size(0), part.group);
    Tensor target = term.cotangents.select(1, output + k);
    target.copy_(term.form == TermForm::product ? d.squeeze(2) : d);
  }
}

void KernelPlan::add_rows_of_unrecognised(const Tensor& inputs, int64_t first, int64_t last,
                                          std::vector<KernelTerm>& terms) const {
  if (unrecognised_.empty()) return;
  const int64_t examples = inputs.size(0);
  const auto options = inputs.options().dtype(task_.dtype).requires_grad(false);
  std::vector<Tensor> parameters;
  std::vector<Tensor> rows;
  for (const int64_t p : unrecognised_) {
    parameters.push_back(function_.parameters()[static_cast<size_t>(p)]);
    rows.push_back(at::zeros({examples, last - first, parameters.back().numel()}, options));
    KernelTerm term;
    term.parameter = p;
    term.outputs = last - first;
    term.first_output = first;
    term.rows = rows.back();
    terms.push_back(term);
  }
  const NetworkFunction::Differentiation differentiation(function_);
  for (int64_t i = 0; i < examples; ++i) {
    const Tensor predictions = function_(inputs.slice(0, i, i + 1).detach());
    if (!predictions.requires_grad()) continue;  // none of these parameters has a part in them
    for (int64_t k = first; k < last; ++k) {
      const auto gradients =
          torch::autograd::grad({predictions[0][k]}, parameters, {}, /*retain_graph=*/k + 1 < last,
                                /*create_graph=*/false, /*allow_unused=*/true);
      for (size_t p = 0; p < parameters.size(); ++p)
        if (gradients[p].defined()) {
          rows[p].select(0, i).select(0, k - first).copy_(autograd::dense_gradient(gradients[p]).flatten());
          reached_[static_cast<size_t>(unrecognised_[p])] = true;
        }
    }
  }
}

std::string summary(const std::vector<KernelTerm>& terms) {
  constexpr std::array names{"rows", "product", "identity", "positions", "outer"};
  std::array<int64_t, names.size()> numbers{};
  for (const KernelTerm& term : terms) ++numbers[static_cast<size_t>(term.form)];
  std::vector<std::string> texts;
  for (size_t i = 0; i < names.size(); ++i)
    if (numbers[i] > 0) texts.push_back(fmt::format("{} {}", numbers[i], names[i]));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace plumb
