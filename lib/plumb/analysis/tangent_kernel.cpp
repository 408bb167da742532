#include "plumb/analysis/tangent_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/analysis/checked_capture.hpp"
#include "plumb/analysis/kernel_attempts.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// Adds every pair of blocks to the kernels; `target(parameter)` is where a term's contribution goes. Returns
/// a summary of the terms.
template <class Target>
std::string accumulate(const KernelProblem& problem, int64_t c, const KernelTiling& tiling,
                       CheckedCapture& captured, const Target& target) {
  const auto left = blocks_of(problem.left.size(0), c, tiling);
  const auto right = problem.symmetric ? left : blocks_of(problem.right.size(0), c, tiling);
  std::string forms;
  for (size_t i = 0; i < left.size(); ++i) {
    const auto& rows = left[i];
    const auto mine = captured.rows(rows);
    forms = summary(mine);
    for (size_t j = 0; j < (problem.symmetric ? i + 1 : right.size()); ++j) {
      const auto& columns = right[j];
      // The trace over outputs pairs an output with itself only.
      if (problem.options.outputs == KernelOutputs::summed && rows.first != columns.first) continue;
      const bool same = problem.symmetric && i == j;
      const auto theirs = same ? std::vector<KernelTerm>{} : captured.columns(columns);
      const auto [row, row_end] = place(problem, rows, c);
      const auto [column, column_end] = place(problem, columns, c);
      const at::NoGradGuard no_grad;
      for (size_t t = 0; t < mine.size(); ++t) {
        const KernelTerm& other = same ? mine[t] : theirs[t];
        add_contribution(target(mine[t].parameter).slice(0, row, row_end).slice(1, column, column_end),
                         mine[t], other, problem.options.outputs, same, tiling.scratch);
      }
    }
  }
  return forms;
}

struct Kernels {
  std::vector<Tensor> matrices;
  TangentKernel whole;
};

/// Everything that a mistake of the computation could depend on beside the numbers.
std::string way_of(const KernelProblem& problem, const KernelPlan& plan, const KernelTiling& tiling,
                   bool by_parameter, uint64_t fingerprint) {
  const auto modes = problem.function.modes();
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", plan.signature(), fingerprint,
                     static_cast<int>(problem.options.route), static_cast<int>(problem.options.outputs),
                     static_cast<int>(problem.dtype), problem.symmetric, by_parameter, tiling.at_once > 1,
                     tiling.examples < problem.left.size(0), fmt::join(problem.left.sizes(), "x"),
                     fmt::join(problem.right.sizes(), "x"), fmt::join(modes, ""));
}

/// The parameters whose part is held against a gradient when `passed` kernels were before; by parameter.
std::vector<bool> watched_parameters(const KernelProblem& problem, const KernelPlan& plan,
                                     const KernelTiling& tiling, uint64_t passed) {
  // Beside the kernel of more rows a complete check costs little.
  constexpr int64_t largest_in_turn = 512;
  const int64_t c = plan.outputs(), n = std::max(problem.left.size(0), problem.right.size(0));
  const bool small =
      tiling.examples >= n && tiling.outputs == c && kernel_rows(problem, n, c) <= largest_in_turn;
  const auto groups = plan.groups();
  const bool in_turn =
      problem.options.check == KernelCheck::in_turn && passed > 0 && small && !groups.empty();
  const bool none = problem.options.check == KernelCheck::none && passed > 0;
  std::vector<bool> watched(problem.function.parameters().size(), !in_turn && !none);
  if (in_turn)
    for (const int64_t p : groups[static_cast<size_t>((passed - 1) % groups.size())])
      watched[static_cast<size_t>(p)] = true;
  return watched;
}

/// Holds the kernels of what is watched against the gradients that were found. Returns the largest error.
double identity_error(const KernelProblem& problem, const Kernels& kernels, const CheckedCapture& captured,
                      bool complete, const std::vector<bool>& watched, int64_t c) {
  const bool by_parameter = kernels.matrices.size() > 1;
  if (problem.options.outputs == KernelOutputs::summed)
    return complete ? summed_kernel_identity(problem.function, kernels.whole.matrix, problem.left,
                                             problem.right, c, /*alone=*/!problem.reads_graph)
                          .error()
                    : 0;
  const Tensor u = captured.row_side().weights.flatten();
  const Tensor v = problem.symmetric ? u : captured.column_side().weights.flatten();
  const auto &left = captured.row_side().gradients, &right = captured.column_side().gradients;
  if (!complete && !by_parameter) return 0;
  const KernelIdentity whole = kernel_identity(kernels.whole.matrix, u, v, left, right);
  double error = complete ? whole.error() : 0;
  // A part whose gradient is 0 but for rounding rounds relative to the others.
  const double share =
      std::pow(allowed_capture_error(problem.function.parameters().front().scalar_type()), 2);
  for (size_t p = 0; by_parameter && p < watched.size() && p < left.size() && p < right.size(); ++p) {
    if (!watched[p] || !left[p].defined() || !right[p].defined()) continue;
    KernelIdentity part = kernel_identity(kernels.matrices[p], u, v, {left[p]}, {right[p]});
    part.size = std::max(part.size, 1e-4 * share * whole.size);
    error = std::max(error, part.error());
  }
  return error;
}

Kernels compute(const KernelProblem& problem, const KernelAttempt& attempt, bool by_parameter) {
  const NetworkFunction& function = problem.function;
  const NetworkFunction::Differentiation differentiation(function);
  auto trial = std::make_shared<const KernelRecording>(function, trial_examples(problem.left));
  if (!trial->predictions.requires_grad()) refuse_without_graph(function, problem.left);
  const bool trial_is_whole = trial->inputs.size(0) == problem.left.size(0);
  if (problem.checks() && problem.reads_graph && trial_is_whole)
    function.check_predictions(problem.left, trial->predictions);
  const KernelPlan plan(function, *trial,
                        {.route = attempt.route,
                         .outputs = problem.options.outputs,
                         .by_parameter = by_parameter,
                         .left = problem.left.size(0),
                         .right = problem.right.size(0),
                         .dtype = problem.dtype,
                         .examine = attempt.examine,
                         .reasons = attempt.reasons});
  const auto parameters = static_cast<int64_t>(function.parameters().size());
  const int64_t c = plan.outputs();
  KernelTiling tiling = fit(problem, plan, by_parameter ? parameters + 1 : 1);
  if (!attempt.batching) tiling.at_once = 1;
  if (!trial_is_whole) trial = nullptr;
  RecordedBlocks recorded(problem, std::move(trial));
  const auto zeros = [&] {
    return at::zeros(
        {kernel_rows(problem, problem.left.size(0), c), kernel_rows(problem, problem.right.size(0), c)},
        problem.left.options().dtype(problem.dtype).requires_grad(false));
  };
  Kernels kernels;
  for (int64_t p = 0; p < (by_parameter ? parameters : 1); ++p) kernels.matrices.push_back(zeros());

  const auto first = blocks_of(problem.left.size(0), c, tiling).front();
  const std::string way = way_of(problem, plan, tiling, by_parameter, recorded.rows(first).fingerprint);
  uint64_t passed = 0;
  {
    const std::lock_guard<std::mutex> lock(function.findings().mutex);
    passed = function.findings().kernels[way];
  }
  const auto watched = watched_parameters(problem, plan, tiling, passed);
  const bool complete = std::all_of(watched.begin(), watched.end(), [](bool one) { return one; });
  CheckedCapture captured(problem, plan, tiling, recorded, watched);
  const std::string forms = accumulate(problem, c, tiling, captured, [&](int64_t parameter) {
    return kernels.matrices[by_parameter ? static_cast<size_t>(parameter) : 0];
  });
  const at::NoGradGuard no_grad;
  if (problem.symmetric)
    for (const Tensor& matrix : kernels.matrices) mirror_lower_half(matrix);
  TangentKernel& whole = kernels.whole;
  whole.matrix = kernels.matrices[0];
  if (by_parameter) {
    whole.matrix = zeros();
    for (const Tensor& matrix : kernels.matrices) whole.matrix.add_(matrix);
  }
  whole.outputs = c;
  whole.route = fmt::format("{}: {}",
                            attempt.route == KernelRoute::rows          ? "rows"
                            : attempt.route == KernelRoute::contraction ? "contraction"
                                                                        : "structured",
                            forms);
  for (const std::string& name : plan.by_rows()) whole.notes.push_back(name + " went by rows");
  whole.blocks = static_cast<int64_t>(blocks_of(problem.left.size(0), c, tiling).size());
  whole.error = std::numeric_limits<double>::quiet_NaN();
  if (!problem.checks()) {
    const std::lock_guard<std::mutex> lock(function.findings().mutex);
    function.findings().kernels[way] = std::max<uint64_t>(passed, 1);
    return kernels;
  }
  // A row of J that is not finite shows on the diagonal; a sum tells of any entry.
  const Tensor entries = problem.symmetric ? whole.matrix.diagonal() : whole.matrix;
  expects(std::isfinite(entries.sum(at::kDouble).item<double>()) || entries.isfinite().all().item<bool>(),
          "the kernel holds numbers that are not finite, although the predictions are: some derivative is "
          "infinite or undefined");
  for (std::string& note : notes_of_unreached(function, plan.reached(), problem.left))
    whole.notes.push_back(std::move(note));
  const double error = identity_error(problem, kernels, captured, complete, watched, c);
  const double allowed = allowed_kernel_error(function.parameters().front().scalar_type());
  if (!(error <= allowed))
    throw CaptureMismatch(fmt::format(
        "the kernel fails its random vector-Jacobian check by {:.1e}, {:.1e} is allowed", error, allowed));
  whole.error = std::max(error, captured.error());
  std::vector<std::string> names;
  for (size_t p = 0; p < watched.size(); ++p)
    if (watched[p]) names.push_back(function.names()[p]);
  whole.checked = complete ? "all parameters" : fmt::format("{}", fmt::join(names, ", "));
  const std::lock_guard<std::mutex> lock(function.findings().mutex);
  ++function.findings().kernels[way];
  return kernels;
}

Kernels compute_checked(const NetworkFunction& function, const Tensor& left, const Tensor& right,
                        bool symmetric, const TangentKernelOptions& options, bool by_parameter) {
  function.check_parameters();
  expects(left.dim() >= 1 && left.size(0) > 0 && right.dim() >= 1 && right.size(0) > 0,
          "the batch of inputs is empty");
  const Tensor& parameter = function.parameters().front();
  std::vector<std::string> notes;
  Kernels kernels = first_that_agrees(options.route, notes, [&](const KernelAttempt& attempt) {
    const KernelProblem problem{function,
                                left,
                                right,
                                symmetric,
                                options,
                                options.accumulate_double ? at::kDouble : parameter.scalar_type(),
                                attempt.route != KernelRoute::rows};
    if ((!problem.reads_graph || attempt.examine) && problem.checks()) {
      // Rows are taken from each example alone: nothing of theirs tells of the others. What disagreed in an
      // attempt before can be derivatives that couple examples.
      function.check(left);
      if (!symmetric) function.check(right);
    }
    return compute(problem, attempt, by_parameter);
  });
  kernels.whole.notes.insert(kernels.whole.notes.begin(), notes.begin(), notes.end());
  return kernels;
}

}  // namespace

TangentKernel tangent_kernel(const NetworkFunction& function, const Tensor& inputs,
                             const TangentKernelOptions& options) {
  return compute_checked(function, inputs, inputs, true, options, false).whole;
}

TangentKernel tangent_kernel(const NetworkFunction& function, const Tensor& inputs, const Tensor& others,
                             const TangentKernelOptions& options) {
  return compute_checked(function, inputs, others, false, options, false).whole;
}

ParameterKernels tangent_kernel_by_parameter(const NetworkFunction& function, const Tensor& inputs,
                                             const TangentKernelOptions& options) {
  Kernels kernels = compute_checked(function, inputs, inputs, true, options, true);
  return {function.names(), std::move(kernels.matrices), std::move(kernels.whole)};
}

ParameterKernels tangent_kernel_by_parameter(const NetworkFunction& function, const Tensor& inputs,
                                             const Tensor& others, const TangentKernelOptions& options) {
  Kernels kernels = compute_checked(function, inputs, others, false, options, true);
  return {function.names(), std::move(kernels.matrices), std::move(kernels.whole)};
}

}  // namespace plumb
