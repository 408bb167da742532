#include "plumb/analysis/kernel_plan.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/ranges.h>
#include <torch/csrc/autograd/function.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using autograd::ParameterUse;
using autograd::UseKind;

int64_t count(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

bool is_matrix(const ParameterUse& use) {
  return use.kind == UseKind::product || use.kind == UseKind::convolution || use.kind == UseKind::lookup;
}

/// Rows b of the weight that the operation multiplies from the left, per group.
int64_t matrix_rows(const ParameterUse& use) {
  if (use.kind == UseKind::convolution) return use.shape[0] / use.convolution.groups;
  return use.output.back();
}

int64_t matrix_columns(const ParameterUse& use) {
  if (use.kind == UseKind::convolution) return count(use.shape) / use.shape[0];
  return use.shape[0];
}

/// T, the number of positions of one example.
int64_t positions_of(const ParameterUse& use, int64_t batch) {
  return count(use.output) / (batch * matrix_rows(use) * std::max<int64_t>(1, use.convolution.groups));
}

/// True when D vanishes but for one example on the given axis.
bool is_of_one_example(const Tensor& d, int64_t axis, int64_t example) {
  return d.narrow(axis, 0, example).count_nonzero().item<int64_t>() == 0 &&
         d.narrow(axis, example + 1, d.size(axis) - example - 1).count_nonzero().item<int64_t>() == 0;
}

/// Finds out whether D has the examples first or second, from the cotangents `d` that arrive when only the
/// prediction for `example` of `batch` has one. False when neither.
bool find_examples(ParameterUse& use, const Tensor& d, int64_t batch, int64_t example) {
  const auto own_axes =
      static_cast<std::ptrdiff_t>(use.shape.size() + 1) - static_cast<std::ptrdiff_t>(use.output.size());
  const auto entry_is_shared = [&](std::ptrdiff_t axis) {  // the parameter is broadcast along this axis of D
    const auto own = axis + own_axes - 1;
    return is_matrix(use) || own < 0 || use.shape[static_cast<size_t>(own)] == 1;
  };
  if (use.output.empty()) return false;
  if (!d.defined()) return use.output[0] % batch == 0;
  if (use.kind == UseKind::product) {
    if (d.size(0) % batch != 0) return false;
    if (is_of_one_example(d.view({batch, -1, d.size(1)}), 0, example)) return true;
    return use.examples_second = is_of_one_example(d.view({-1, batch, d.size(1)}), 1, example);
  }
  if (d.size(0) == batch && is_of_one_example(d, 0, example)) return entry_is_shared(0);
  use.examples_second = d.dim() > 1 && d.size(1) == batch && is_of_one_example(d, 1, example);
  return use.examples_second && entry_is_shared(0) && entry_is_shared(1);
}

/// D with the examples first; of a product as (examples, T, b).
Tensor examples_first(const Tensor& d, const ParameterUse& use, int64_t examples) {
  if (use.kind == UseKind::product)
    return use.examples_second ? d.reshape({-1, examples, d.size(-1)}).transpose(0, 1)
                               : d.reshape({examples, -1, d.size(-1)});
  return use.examples_second ? d.transpose(0, 1) : d;
}

/// D of a matrix as (examples, b, T) of one group.
Tensor by_channel(const Tensor& cotangent, const ParameterUse& use, int64_t examples, int64_t group) {
  const int64_t b = matrix_rows(use);
  const Tensor d = examples_first(cotangent, use, examples);
  if (use.kind != UseKind::convolution) return d.reshape({examples, -1, b}).transpose(1, 2);
  return d.flatten(2).slice(1, group * b, (group + 1) * b);
}

/// The gradient of each example's output with respect to the parameter, (examples, P), from D.
Tensor matrix_gradient(const Tensor& cotangent, const ParameterUse& use, int64_t examples) {
  const auto dtype = cotangent.scalar_type();
  std::vector<Tensor> groups;
  for (int64_t g = 0; g < use.convolution.groups; ++g) {
    const TermInputs inputs(use, examples, g, 0, dtype);
    groups.push_back(at::bmm(by_channel(cotangent, use, examples, g), inputs.slice(0, examples)));
  }
  Tensor gradient = at::cat(groups, 1);  // (examples, b, a)
  // A product's matrix is (a, b); a lookup's table (a, b) too.
  if (use.kind != UseKind::convolution && !use.transposed) gradient = gradient.transpose(1, 2);
  return gradient.flatten(1);
}

Tensor gradient_of(const Tensor& cotangent, const ParameterUse& use, int64_t examples, at::ScalarType dtype) {
  const Tensor d = cotangent.to(dtype);
  if (is_matrix(use)) return matrix_gradient(d, use, examples);
  const Tensor product =
      examples_first(use.kind == UseKind::scale ? d * use.saved.to(dtype) : d, use, examples);
  std::vector<int64_t> shape(static_cast<size_t>(product.dim()), 1);
  shape[0] = examples;
  const auto shift = static_cast<std::ptrdiff_t>(shape.size() - use.shape.size());
  for (size_t i = 0; i < use.shape.size(); ++i)
    if (shift > 0 || i > 0) shape[static_cast<size_t>(shift) + i] = use.shape[i];
  return at::sum_to(product, shape).flatten(1) * use.factor;
}

}  // namespace

KernelPlan::KernelPlan(const NetworkFunction& function, const Tensor& inputs, const KernelTask& task)
    : function_(function), task_(task) {
  const NetworkFunction::Differentiation differentiation(function_);
  const auto record = [&](int64_t batch) {
    std::vector<int64_t> repeats(static_cast<size_t>(inputs.dim()), 1);
    repeats[0] = batch;
    const Tensor outputs = function_(inputs.slice(0, 0, 1).detach().repeat(repeats));
    outputs_ = outputs.size(1);
    // What grows with the batch: the difference of two batches.
    graph_numbers_ = static_cast<double>(autograd::recorded_values(outputs)) - graph_numbers_;
    return outputs;
  };
  constexpr int64_t batch = 3, example = 1;
  record(batch - 1);
  const Tensor outputs = record(batch);
  autograd::RecordedUses recorded = autograd::read_recorded_uses(outputs, function_.parameters());
  recorded_uses_ = recorded.uses.size();
  if (task_.route == KernelRoute::rows) {
    unrecognised_.resize(function_.parameters().size());
    std::iota(unrecognised_.begin(), unrecognised_.end(), 0);
    return;
  }
  auto& reasons = recorded.unrecognised;
  Tensor cotangent = at::zeros_like(outputs);
  cotangent.select(0, example) = at::arange(1, outputs_ + 1, cotangent.options().requires_grad(false));
  const auto arrived = autograd::pull_back(outputs, cotangent, recorded.uses);
  for (size_t i = 0; i < recorded.uses.size(); ++i) {
    ParameterUse& use = recorded.uses[i];
    if (!find_examples(use, arrived[i], batch, example))
      reasons[static_cast<size_t>(use.parameter)] = use.node->name() + " where examples cannot be told apart";
    examples_second_.push_back(use.examples_second);
  }
  for (size_t p = 0; p < reasons.size(); ++p) {
    if (reasons[p].empty()) continue;
    unrecognised_.push_back(static_cast<int64_t>(p));
    by_rows_.push_back(fmt::format("{} ({})", function_.names()[p], reasons[p]));
  }
  make_parts(recorded.uses, batch);
}

void KernelPlan::make_parts(const std::vector<ParameterUse>& uses, int64_t batch) {
  std::vector<std::vector<size_t>> of_parameter(function_.parameters().size());
  for (size_t i = 0; i < uses.size(); ++i) of_parameter[static_cast<size_t>(uses[i].parameter)].push_back(i);
  std::vector<bool> done(of_parameter.size(), false);
  for (const int64_t p : unrecognised_) done[static_cast<size_t>(p)] = true;
  const bool merge = task_.route != KernelRoute::contraction && !task_.by_parameter;
  for (size_t p = 0; p < of_parameter.size(); ++p) {
    const auto& mine = of_parameter[p];
    if (done[p] || mine.size() != 1 || !is_matrix(uses[mine[0]]) || task_.route == KernelRoute::contraction)
      continue;
    done[p] = true;
    add_matrix(uses, mine[0], batch);
    if (!merge || uses[mine[0]].kind == UseKind::lookup) continue;
    // A bias added by the same operation shares its cotangents.
    for (size_t q = 0; q < of_parameter.size(); ++q) {
      if (done[q] || of_parameter[q].size() != 1) continue;
      const ParameterUse& bias = uses[of_parameter[q][0]];
      const int64_t channels = matrix_rows(uses[mine[0]]) * uses[mine[0]].convolution.groups;
      if (bias.node != uses[mine[0]].node || bias.kind != UseKind::shift || count(bias.shape) != channels)
        continue;
      done[q] = true;
      for (Part& part : parts_)
        if (part.parameter == static_cast<int64_t>(p)) part.bias = bias.factor;
    }
  }
  for (size_t p = 0; p < of_parameter.size(); ++p) {
    if (done[p] || of_parameter[p].empty()) continue;
    Part part{TermForm::rows, static_cast<int64_t>(p), of_parameter[p]};
    part.numbers_per_output = static_cast<double>(function_.parameters()[p].numel());
    parts_.push_back(part);
  }
}

void KernelPlan::add_matrix(const std::vector<ParameterUse>& uses, size_t use, int64_t batch) {
  const ParameterUse& weight = uses[use];
  const auto a = static_cast<double>(matrix_columns(weight)), b = static_cast<double>(matrix_rows(weight));
  const auto positions = static_cast<double>(positions_of(weight, batch));
  Part part{choose(a, b, positions), weight.parameter, {use}};
  part.groups = weight.convolution.groups;
  if (part.form == TermForm::rows) {
    part.groups = 1;  // all of them at once
    part.numbers_per_output = static_cast<double>(count(weight.shape));
  } else {
    part.numbers_per_output = b * positions;
    part.numbers = static_cast<double>(weight.saved.numel()) / static_cast<double>(batch * part.groups);
  }
  for (part.group = 0; part.group < part.groups; ++part.group) parts_.push_back(part);
}

TermForm KernelPlan::choose(double a, double b, double positions) const {
  const auto n = static_cast<double>(task_.left), m = static_cast<double>(task_.right);
  const auto c = static_cast<double>(outputs_);
  const double r = task_.outputs == KernelOutputs::pairs ? c : 1, summed = c / r;
  const double gradients = (n + m) * c * positions * a * b;
  const double gram = n * m * r * r * summed * a * b;
  if (positions == 1) {
    const double product = n * m * (a + r * r * summed * b);
    return product <= gradients + gram ? TermForm::product : TermForm::rows;
  }
  // Products of many small matrices run at about half the speed of large ones.
  const double by_positions =
      2 * n * m * (positions * positions * a + positions * positions * b * c + positions * b * r * c);
  if (by_positions < gradients + gram) return TermForm::positions;
  return a * b <= b * positions ? TermForm::rows : TermForm::outer;
}

double KernelPlan::bytes_per_example(int64_t outputs) const {
  double numbers = 2 * graph_numbers_;  // saved values, and the cotangents of one backward pass
  for (const Part& part : parts_)
    numbers += part.numbers + static_cast<double>(outputs) * part.numbers_per_output;
  for (const int64_t p : unrecognised_)
    numbers += static_cast<double>(outputs * function_.parameters()[static_cast<size_t>(p)].numel());
  return numbers * static_cast<double>(c10::elementSize(task_.dtype));
}

std::vector<KernelTerm> KernelPlan::capture(const Tensor& inputs, int64_t first, int64_t last) const {
  const int64_t examples = inputs.size(0);
  const auto options = inputs.options().dtype(task_.dtype).requires_grad(false);
  std::vector<KernelTerm> terms(parts_.size());
  if (!parts_.empty()) {
    const NetworkFunction::Differentiation differentiation(function_);
    const Tensor predictions = function_(inputs.detach());
    auto uses = autograd::read_recorded_uses(predictions, function_.parameters()).uses;
    expects(uses.size() == recorded_uses_ && predictions.size(1) == outputs_,
            "the network's graph changes from one call to the next");
    for (size_t i = 0; i < uses.size(); ++i) uses[i].examples_second = examples_second_[i];
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parts_.size(); ++i)
      terms[i] = empty_term(parts_[i], uses[parts_[i].uses[0]], examples, first, last, options);
    for (int64_t k = first; k < last; ++k) {
      Tensor unit = at::zeros_like(predictions);
      unit.select(1, k).fill_(1);
      const auto cotangents = autograd::pull_back(predictions, unit, uses);
      for (size_t i = 0; i < parts_.size(); ++i)
        for (const size_t use : parts_[i].uses)
          if (cotangents[use].defined()) keep(parts_[i], cotangents[use], uses[use], k - first, terms[i]);
    }
  }
  for (KernelTerm& term : terms) find_identity(term);
  add_rows_of_unrecognised(inputs, first, last, terms);
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
    const int64_t biases = part.bias != 0 ? matrix_rows(use) * use.convolution.groups : 0;
    term.rows = at::zeros({examples, last - first, weights + biases}, options);
    return term;
  }
  term.inputs = TermInputs(use, examples, part.group, part.bias, task_.dtype);
  std::vector<int64_t> shape{examples, last - first, matrix_rows(use), positions_of(use, examples)};
  if (part.form == TermForm::product) shape.pop_back();
  term.cotangents = at::zeros(shape, options);
  return term;
}

void KernelPlan::find_identity(KernelTerm& term) const {
  const Tensor& d = term.cotangents;
  if (term.form != TermForm::product || d.size(2) != outputs_) return;
  const double scale = d[0][0][term.first_output].item<double>();
  const Tensor unit =
      at::eye(outputs_, d.options()).slice(0, term.first_output, term.first_output + term.outputs) * scale;
  // Cotangents that all vanish are no identity: the next block's may not.
  if (scale == 0 || !d.eq(unit).all().item<bool>()) return;
  term.form = TermForm::identity;
  term.scale = scale;
}

void KernelPlan::keep(const Part& part, const Tensor& cotangent, const ParameterUse& use, int64_t output,
                      KernelTerm& term) const {
  const int64_t examples = term.form == TermForm::rows ? term.rows.size(0) : term.cotangents.size(0);
  if (term.form == TermForm::rows) {
    const Tensor gradient = gradient_of(cotangent, use, examples, task_.dtype);
    Tensor row = term.rows.select(1, output);
    row.slice(1, 0, gradient.size(1)).add_(gradient);
    if (part.bias != 0) {
      const Tensor d = examples_first(cotangent.to(task_.dtype), use, examples);
      const Tensor sums = use.kind == UseKind::convolution ? d.flatten(2).sum(2)
                                                           : d.reshape({examples, -1, d.size(-1)}).sum(1);
      row.slice(1, gradient.size(1)).add_(sums, part.bias);
    }
    return;
  }
  const Tensor d = by_channel(cotangent, use, examples, part.group);
  Tensor target = term.cotangents.select(1, output);
  target.copy_(term.form == TermForm::product ? d.squeeze(2) : d);
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
    term.rows = rows.back();
    terms.push_back(term);
  }
  const NetworkFunction::Differentiation differentiation(function_);
  for (int64_t i = 0; i < examples; ++i) {
    const Tensor predictions = function_(inputs.slice(0, i, i + 1).detach());
    for (int64_t k = first; k < last; ++k) {
      const auto gradients =
          torch::autograd::grad({predictions[0][k]}, parameters, {}, /*retain_graph=*/k + 1 < last,
                                /*create_graph=*/false, /*allow_unused=*/true);
      for (size_t p = 0; p < parameters.size(); ++p)
        if (gradients[p].defined())
          rows[p].select(0, i).select(0, k - first).copy_(gradients[p].detach().flatten());
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
