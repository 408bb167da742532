#include "plumb/analysis/kernel_plan.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/ranges.h>
#include <torch/csrc/autograd/function.h>
#include <torch/torch.h>

#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/random_weights.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using autograd::ParameterUse;
using autograd::UseKind;

/// D of a product, or of what is added to one, has its rows on one axis.
bool has_rows(const ParameterUse& use) { return use.kind == UseKind::product || use.rows_of_product; }

/// Whether D can have `batch` examples first or, with `second`, on its second axis.
bool can_have_examples(const ParameterUse& use, bool second, int64_t batch) {
  const auto& d = use.output;
  if (d.empty()) return false;
  if (has_rows(use)) return d.size() == 2 && d[0] % batch == 0;
  if (use.kind == UseKind::convolution) return !second && d[0] == batch;
  if (d.size() <= (second ? 1u : 0u) || d[second ? 1 : 0] != batch) return false;
  const auto own_axes = static_cast<std::ptrdiff_t>(use.shape.size()) - static_cast<std::ptrdiff_t>(d.size());
  const auto entry_is_shared = [&](std::ptrdiff_t axis) {  // the parameter is broadcast along this axis of D
    const auto own = axis + own_axes;
    return use.is_matrix() || own < 0 || use.shape[static_cast<size_t>(own)] == 1;
  };
  return entry_is_shared(0) && (!second || entry_is_shared(1));
}

/// True when the operation itself says which axis of D holds the examples: it has a row for each.
bool has_a_row_per_example(const ParameterUse& use, int64_t batch) {
  if (use.output.empty() || use.output[0] != batch) return false;
  if (use.kind == UseKind::product || use.kind == UseKind::convolution) return true;
  // Channels come second in images and in matrices of features.
  return use.kind != UseKind::lookup && use.output.size() == use.shape.size() + 1 &&
         c10::multiply_integers(use.shape) == use.shape[0] && use.output.size() != 3;
}

}  // namespace

KernelPlan::KernelPlan(const NetworkFunction& function, const KernelRecording& trial, const KernelTask& task)
    : function_(function),
      task_(task),
      reached_(function.parameters().size(), false),
      fingerprint_(trial.fingerprint),
      outputs_(trial.predictions.size(1)) {
  const int64_t batch = trial.inputs.size(0);
  graph_numbers_ = static_cast<double>(autograd::recorded_values(trial.predictions, function_.parameters())) /
                   static_cast<double>(batch);
  mark_reached(trial);
  if (task_.route == KernelRoute::rows) {
    unrecognised_.resize(function_.parameters().size());
    std::iota(unrecognised_.begin(), unrecognised_.end(), 0);
    return;
  }
  std::vector<ParameterUse> uses = trial.uses;
  std::vector<std::string> reasons = trial.unrecognised;
  for (size_t p = 0; p < task_.reasons.size(); ++p)
    if (!task_.reasons[p].empty()) reasons[p] = task_.reasons[p];
  find_layouts(trial, uses, reasons);
  for (const ParameterUse& use : uses) layouts_.push_back(layout_of(use, batch));
  for (size_t p = 0; p < reasons.size(); ++p) {
    if (reasons[p].empty()) continue;
    unrecognised_.push_back(static_cast<int64_t>(p));
    by_rows_.push_back(fmt::format("{} ({})", function_.names()[p], reasons[p]));
  }
  make_parts(uses, batch);
}

void KernelPlan::mark_reached(const KernelRecording& recording) const {
  for (const ParameterUse& use : recording.uses) reached_[static_cast<size_t>(use.parameter)] = true;
  for (size_t p = 0; p < recording.unrecognised.size(); ++p)
    if (!recording.unrecognised[p].empty()) reached_[p] = true;
}

KernelPlan::Layout KernelPlan::layout_of(const ParameterUse& use, int64_t batch) {
  const auto& conv = use.convolution;
  Layout layout{use.parameter,       use.kind,      use.shape, use.transposed, use.rows_of_product,
                use.examples_second, {conv.groups}, {}};
  for (const auto* numbers : {&conv.kernel, &conv.stride, &conv.padding, &conv.dilation})
    layout.convolution.insert(layout.convolution.end(), numbers->begin(), numbers->end());
  layout.rest = use.output;
  if (layout.rest.empty()) return layout;
  if (has_rows(use)) {
    layout.rest[0] = use.output[0] % batch == 0 ? use.output[0] / batch : -1;
  } else {
    const size_t axis = use.examples_second && use.output.size() > 1 ? 1 : 0;
    layout.rest[axis] = use.output[axis] == batch ? 1 : -1;
  }
  return layout;
}

void KernelPlan::find_layouts(const KernelRecording& trial, std::vector<ParameterUse>& uses,
                              std::vector<std::string>& reasons) const {
  const int64_t batch = trial.inputs.size(0);
  const bool told = std::all_of(uses.begin(), uses.end(),
                                [&](const ParameterUse& use) { return has_a_row_per_example(use, batch); });
  if (uses.empty() || (told && !task_.examine)) return;
  // The examples lie where a cotangent u_i z of every example arrives as u_i times what z alone makes.
  CheckDraws draws;
  const auto options = trial.predictions.options().requires_grad(false);
  const Tensor z = draws.weights(outputs_).view({1, -1}).expand_as(trial.predictions);
  const Tensor u = draws.weights(batch);
  const Tensor both = at::stack({z, z * u.view({-1, 1})}).to(options);
  const auto read = [&](const std::vector<Tensor>& cotangent) {
    return autograd::pull_back(trial.predictions, cotangent[0], uses);
  };
  std::vector<Tensor> arrived[2];
  if (const auto together = batched(both, read)) {
    for (const Tensor& d : *together) {
      arrived[0].push_back(d.defined() ? d[0] : d);
      arrived[1].push_back(d.defined() ? d[1] : d);
    }
  } else {
    for (int64_t i = 0; i < 2; ++i) arrived[i] = read({both[i]});
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    ParameterUse& use = uses[i];
    const auto fits = [&](bool second) {
      if (!can_have_examples(use, second, batch)) return false;
      if (!arrived[0][i].defined() || !arrived[1][i].defined()) return true;
      use.examples_second = second;
      const Tensor plain = use.examples_first(arrived[0][i], batch).reshape({batch, -1});
      const Tensor weighted = use.examples_first(arrived[1][i], batch).reshape({batch, -1});
      const Tensor expected = plain * u.view({-1, 1}).to(plain.options());
      return fast_norm(weighted - expected) <=
             allowed_capture_error(plain.scalar_type()) * fast_norm(expected);
    };
    if (fits(false) || fits(true)) continue;
    use.examples_second = false;
    reasons[static_cast<size_t>(use.parameter)] = use.node->name() + " where examples cannot be told apart";
  }
}

void KernelPlan::make_parts(const std::vector<ParameterUse>& uses, int64_t batch) {
  std::vector<std::vector<size_t>> of_parameter(function_.parameters().size());
  for (size_t i = 0; i < uses.size(); ++i) of_parameter[static_cast<size_t>(uses[i].parameter)].push_back(i);
  std::vector<bool> done(of_parameter.size(), false);
  for (const int64_t p : unrecognised_) done[static_cast<size_t>(p)] = true;
  const bool merge = task_.route != KernelRoute::contraction && !task_.by_parameter;
  for (size_t p = 0; p < of_parameter.size(); ++p) {
    const auto& mine = of_parameter[p];
    if (done[p] || mine.size() != 1 || !uses[mine[0]].is_matrix() || task_.route == KernelRoute::contraction)
      continue;
    done[p] = true;
    add_matrix(uses, mine[0], batch);
    if (!merge || uses[mine[0]].kind == UseKind::lookup) continue;
    // A bias added by the same operation shares its cotangents.
    for (size_t q = 0; q < of_parameter.size(); ++q) {
      if (done[q] || of_parameter[q].size() != 1) continue;
      const ParameterUse& bias = uses[of_parameter[q][0]];
      const int64_t channels = uses[mine[0]].matrix_rows() * uses[mine[0]].convolution.groups;
      if (bias.node != uses[mine[0]].node || bias.kind != UseKind::shift ||
          c10::multiply_integers(bias.shape) != channels)
        continue;
      done[q] = true;
      for (Part& part : parts_)
        if (part.parameter == static_cast<int64_t>(p)) {
          part.bias = bias.factor;
          part.bias_parameter = static_cast<int64_t>(q);
        }
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
  const auto a = static_cast<double>(weight.matrix_columns()), b = static_cast<double>(weight.matrix_rows());
  const auto positions = static_cast<double>(weight.positions(batch));
  Part part{choose(a, b, positions), weight.parameter, {use}};
  part.groups = weight.convolution.groups;
  if (part.form == TermForm::rows) {
    part.groups = 1;  // all of them at once
    part.numbers_per_output = static_cast<double>(c10::multiply_integers(weight.shape));
    part.numbers = a * positions * static_cast<double>(weight.convolution.groups);
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

std::vector<std::vector<int64_t>> KernelPlan::groups() const {
  std::vector<std::vector<int64_t>> groups;
  for (const Part& part : parts_) {
    if (part.group > 0) continue;  // of the convolution before
    groups.push_back({part.parameter});
    if (part.bias_parameter >= 0) groups.back().push_back(part.bias_parameter);
  }
  for (const int64_t p : unrecognised_) groups.push_back({p});
  return groups;
}

std::string KernelPlan::signature() const {
  std::string text;
  for (const Part& part : parts_)
    text += fmt::format("{}: {} of {}, {} uses, bias {};", part.parameter, static_cast<int>(part.form),
                        part.groups, part.uses.size(), part.bias_parameter);
  for (const Layout& layout : layouts_)
    text +=
        fmt::format("{} {} {} {} {} {} {} {}; ", layout.parameter, static_cast<int>(layout.kind),
                    fmt::join(layout.shape, ","), layout.transposed, layout.rows_of_product,
                    layout.examples_second, fmt::join(layout.convolution, ","), fmt::join(layout.rest, ","));
  return text + fmt::format("rows: {}, graph {}", fmt::join(unrecognised_, ","), fingerprint_);
}

int64_t KernelPlan::outputs_at_once(int64_t examples) const {
  // Products with this many rows run at full speed; fewer rows wait for the weights to be read.
  constexpr int64_t rows = 64;
  // A pass over a graph that fits into a processor's cache costs what starting its operations costs.
  constexpr double cache = 4 << 20;
  const double output_bytes =
      graph_numbers_ * static_cast<double>(examples * static_cast<int64_t>(c10::elementSize(task_.dtype)));
  return std::clamp<int64_t>(std::max(rows / examples, static_cast<int64_t>(cache / output_bytes)), 1,
                             outputs_);
}

double KernelPlan::bytes(int64_t examples, int64_t outputs, int64_t at_once) const {
  // Saved values, the cotangents of one backward pass, and those of the check.
  double numbers = static_cast<double>(2 + std::min(at_once, outputs)) * graph_numbers_;
  double passing = 0;  // gradients on their way into the rows that keep them
  for (const Part& part : parts_) {
    numbers += part.numbers + static_cast<double>(outputs) * part.numbers_per_output;
    if (part.form == TermForm::rows)
      passing = std::max(passing, static_cast<double>(std::min(at_once, outputs)) * part.numbers_per_output);
  }
  numbers += passing;
  for (const int64_t p : unrecognised_)
    numbers += static_cast<double>(outputs * function_.parameters()[static_cast<size_t>(p)].numel());
  return numbers * static_cast<double>(examples * static_cast<int64_t>(c10::elementSize(task_.dtype)));
}

}  // namespace plumb
