#include "plumb/analysis/tangent_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/memory.hpp"

namespace plumb {
namespace {

constexpr double mebi = 1024.0 * 1024.0;

int64_t default_budget(const at::Device& device) {
  return device.is_cpu() ? available_memory() / 2 : int64_t{4} << 30;
}

/// Examples [begin, end), outputs [first, last).
struct KernelBlock {
  int64_t begin, end, first, last;
};

/// How much is done at a time.
struct KernelTiling {
  int64_t examples, outputs;
  int64_t at_once;  // outputs that share a backward pass
  int64_t scratch;  // bytes of temporary tensors
};

struct KernelProblem {
  const NetworkFunction& function;
  const Tensor& left;
  const Tensor& right;
  bool symmetric;
  TangentKernelOptions options;
  at::ScalarType dtype;
};

int64_t kernel_rows(const KernelProblem& problem, int64_t examples, int64_t outputs) {
  return problem.options.outputs == KernelOutputs::pairs ? examples * outputs : examples;
}

/// What may be held, when `needed` is about what would be without a limit.
double budget_for(const KernelProblem& problem, double needed) {
  // Looking up what the system has takes as long as a small kernel.
  constexpr double small = 64 * mebi;
  if (problem.options.memory) return static_cast<double>(*problem.options.memory);
  return needed <= small / 2 ? small : static_cast<double>(default_budget(problem.left.device()));
}

/// Fits blocks into what the budget leaves beside `matrices` kernels.
KernelTiling fit(const KernelProblem& problem, const KernelPlan& plan, int64_t matrices) {
  const int64_t c = plan.outputs(), n = std::max(problem.left.size(0), problem.right.size(0));
  const double kernel = static_cast<double>(kernel_rows(problem, problem.left.size(0), c)) *
                        static_cast<double>(kernel_rows(problem, problem.right.size(0), c)) *
                        static_cast<double>(c10::elementSize(problem.dtype)) * static_cast<double>(matrices);
  const double parameter_bytes =
      static_cast<double>(problem.function.parameter_count() *
                          static_cast<int64_t>(problem.function.parameters().front().element_size()));
  const double budget =
      budget_for(problem, kernel + 2 * plan.bytes(n, c, plan.outputs_at_once(n)) + 3 * parameter_bytes);
  const double left = budget - kernel;
  const double scratch = std::clamp(left / 8, 16.0 * (1 << 20), 512.0 * (1 << 20));
  // The check holds J' u, once more where blocks are added up, and once more where inputs are two.
  const double checked =
      problem.options.check != KernelCheck::none ? (problem.symmetric ? 2.0 : 3.0) * parameter_bytes : 0;
  const auto held = [&](const KernelTiling& tiling) {
    const bool whole = problem.symmetric && tiling.examples == n && tiling.outputs == c;
    const double captured = plan.bytes(tiling.examples, tiling.outputs, tiling.at_once) * (whole ? 1 : 2);
    return std::max(scratch + captured, checked);
  };
  KernelTiling tiling{n, c, 1, static_cast<int64_t>(scratch)};
  while (held(tiling) > left && tiling.examples > 1) tiling.examples = (tiling.examples + 1) / 2;
  while (held(tiling) > left && tiling.outputs > 1) tiling.outputs = (tiling.outputs + 1) / 2;
  expects(held(tiling) <= left,
          "a memory budget of {:.2f} MiB is too small; the kernel takes {:.2f} MiB and the least that can be "
          "held "
          "beside it {:.2f} MiB",
          budget / mebi, kernel / mebi, held({1, 1, 1, 0}) / mebi);
  tiling.at_once = plan.outputs_at_once(tiling.examples);
  while (held(tiling) > left) tiling.at_once = (tiling.at_once + 1) / 2;
  return tiling;
}

/// In the order of the kernel's rows: a pair of blocks, the later first, lies below the diagonal.
std::vector<KernelBlock> blocks_of(int64_t examples, int64_t outputs, const KernelTiling& tiling) {
  std::vector<KernelBlock> blocks;
  for (int64_t begin = 0; begin < examples; begin += tiling.examples)
    for (int64_t first = 0; first < outputs; first += tiling.outputs)
      blocks.push_back({begin, std::min(examples, begin + tiling.examples), first,
                        std::min(outputs, first + tiling.outputs)});
  return blocks;
}

/// Where a block's rows or columns lie in the kernel.
std::pair<int64_t, int64_t> place(const KernelProblem& problem, const KernelBlock& block, int64_t c) {
  if (problem.options.outputs == KernelOutputs::summed) return {block.begin, block.end};
  // Blocks with a part of the outputs hold one example.
  return {block.begin * c + block.first, (block.end - 1) * c + block.last};
}

/// The last forward passes over blocks of rows and of columns: blocks that differ in outputs share one.
class RecordedBlocks {
 public:
  /// `whole`: a recording of all rows, or null.
  RecordedBlocks(const KernelProblem& problem, std::shared_ptr<const KernelRecording> whole)
      : problem_(problem), rows_{std::move(whole), 0}, columns_{nullptr, 0} {}

  const KernelRecording& rows(const KernelBlock& block) { return get(rows_, problem_.left, block); }
  const KernelRecording& columns(const KernelBlock& block) {
    return get(problem_.symmetric && rows_.begin == block.begin ? rows_ : columns_, problem_.right, block);
  }
  /// The recording of all rows, null when there is none.
  std::shared_ptr<const KernelRecording> whole() const {
    const bool all = rows_.recording && rows_.recording->inputs.size(0) == problem_.left.size(0);
    return all ? rows_.recording : nullptr;
  }

 private:
  struct Held {
    std::shared_ptr<const KernelRecording> recording;
    int64_t begin;
  };

  const KernelRecording& get(Held& held, const Tensor& inputs, const KernelBlock& block) {
    if (!held.recording || held.begin != block.begin ||
        held.recording->inputs.size(0) != block.end - block.begin) {
      held.recording = nullptr;  // frees its graph before the next is made
      held = {std::make_shared<KernelRecording>(problem_.function, inputs.slice(0, block.begin, block.end)),
              block.begin};
    }
    return *held.recording;
  }

  const KernelProblem& problem_;
  Held rows_, columns_;
};

/// Adds every pair of blocks to the kernels; `target(parameter)` is where a term's contribution goes. Returns
/// a summary of the terms. `watch` is shown every pair of terms before it is added.
template <class Target>
std::string accumulate(const KernelProblem& problem, const KernelPlan& plan, const KernelTiling& tiling,
                       RecordedBlocks& recorded, const Target& target,
                       const std::function<void(const KernelTerm&, const KernelTerm&)>& watch) {
  const int64_t c = plan.outputs();
  const auto left = blocks_of(problem.left.size(0), c, tiling);
  const auto right = problem.symmetric ? left : blocks_of(problem.right.size(0), c, tiling);
  std::string forms;
  for (size_t i = 0; i < left.size(); ++i) {
    const auto& rows = left[i];
    const auto mine = plan.capture(recorded.rows(rows), rows.first, rows.last, tiling.at_once);
    forms = summary(mine);
    for (size_t j = 0; j < (problem.symmetric ? i + 1 : right.size()); ++j) {
      const auto& columns = right[j];
      // The trace over outputs pairs an output with itself only.
      if (problem.options.outputs == KernelOutputs::summed && rows.first != columns.first) continue;
      const bool same = problem.symmetric && i == j;
      const auto theirs =
          same ? std::vector<KernelTerm>{}
               : plan.capture(recorded.columns(columns), columns.first, columns.last, tiling.at_once);
      const auto [row, row_end] = place(problem, rows, c);
      const auto [column, column_end] = place(problem, columns, c);
      const at::NoGradGuard no_grad;
      for (size_t t = 0; t < mine.size(); ++t) {
        const KernelTerm& other = same ? mine[t] : theirs[t];
        watch(mine[t], other);
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
                   bool by_parameter) {
  const auto modes = problem.function.modes();
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", plan.signature(),
                     static_cast<int>(problem.options.route), static_cast<int>(problem.options.outputs),
                     static_cast<int>(problem.dtype), problem.symmetric, by_parameter, tiling.at_once > 1,
                     tiling.examples < problem.left.size(0), fmt::join(problem.left.sizes().slice(1), "x"),
                     fmt::join(modes, ""));
}

/// The parameters whose kernel is held against the identity when `passed` were before.
std::vector<int64_t> checked_parameters(const KernelProblem& problem, const KernelPlan& plan,
                                        const KernelTiling& tiling, uint64_t passed) {
  // Beside the kernel of more rows a complete check costs little, and a part of the kernel, computed once
  // more, a lot.
  constexpr int64_t largest_in_turn = 512;
  const int64_t c = plan.outputs(), n = std::max(problem.left.size(0), problem.right.size(0));
  const bool small =
      tiling.examples >= n && tiling.outputs == c && kernel_rows(problem, n, c) <= largest_in_turn;
  const auto groups = plan.groups();
  if (problem.options.check == KernelCheck::in_turn && passed > 0 && small && !groups.empty())
    return groups[static_cast<size_t>((passed - 1) % groups.size())];
  std::vector<int64_t> all(problem.function.parameters().size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// `batching`: whether several outputs may share a backward pass.
Kernels compute(const KernelProblem& problem, KernelRoute route, bool by_parameter, bool batching) {
  const NetworkFunction& function = problem.function;
  const NetworkFunction::Differentiation differentiation(function);
  auto trial = std::make_shared<const KernelRecording>(function, trial_examples(problem.left));
  const bool check = problem.options.check != KernelCheck::none;
  if (check) function.check(problem.left, trial->predictions);
  const KernelPlan plan(function, *trial,
                        {.route = route,
                         .outputs = problem.options.outputs,
                         .by_parameter = by_parameter,
                         .left = problem.left.size(0),
                         .right = problem.right.size(0),
                         .dtype = problem.dtype});
  const auto parameters = static_cast<int64_t>(function.parameters().size());
  const int64_t c = plan.outputs();
  KernelTiling tiling = fit(problem, plan, by_parameter ? parameters + 1 : 1);
  if (!batching) tiling.at_once = 1;
  if (trial->inputs.size(0) != problem.left.size(0)) trial = nullptr;
  RecordedBlocks recorded(problem, std::move(trial));
  const auto zeros = [&] {
    return at::zeros(
        {kernel_rows(problem, problem.left.size(0), c), kernel_rows(problem, problem.right.size(0), c)},
        problem.left.options().dtype(problem.dtype).requires_grad(false));
  };
  Kernels kernels;
  for (int64_t p = 0; p < (by_parameter ? parameters : 1); ++p) kernels.matrices.push_back(zeros());

  uint64_t& passed = function.findings().kernels[way_of(problem, plan, tiling, by_parameter)];
  const auto watched = checked_parameters(problem, plan, tiling, passed);
  const bool complete = static_cast<int64_t>(watched.size()) == parameters;
  const bool beside = check && !complete && !by_parameter;
  // The kernel of what is watched.
  Tensor alone = beside ? zeros() : Tensor();
  if (by_parameter && !complete) alone = kernels.matrices[static_cast<size_t>(watched.front())];
  const std::string forms = accumulate(
      problem, plan, tiling, recorded,
      [&](int64_t parameter) { return kernels.matrices[by_parameter ? static_cast<size_t>(parameter) : 0]; },
      [&](const KernelTerm& left, const KernelTerm& right) {
        if (beside && left.parameter == watched.front())
          add_contribution(alone, left, right, problem.options.outputs, problem.symmetric, tiling.scratch);
      });
  const at::NoGradGuard no_grad;
  if (problem.symmetric)
    for (const Tensor& matrix : kernels.matrices) mirror_lower_half(matrix);
  if (problem.symmetric && beside) mirror_lower_half(alone);
  TangentKernel& whole = kernels.whole;
  whole.matrix = kernels.matrices[0];
  if (by_parameter) {
    whole.matrix = zeros();
    for (const Tensor& matrix : kernels.matrices) whole.matrix.add_(matrix);
  }
  whole.outputs = c;
  whole.route = fmt::format("{}: {}",
                            route == KernelRoute::rows          ? "rows"
                            : route == KernelRoute::contraction ? "contraction"
                                                                : "structured",
                            forms);
  for (const std::string& name : plan.by_rows()) whole.notes.push_back(name + " went by rows");
  whole.blocks = static_cast<int64_t>(blocks_of(problem.left.size(0), c, tiling).size());
  whole.error = std::numeric_limits<double>::quiet_NaN();
  if (!check) return kernels;
  const KernelIdentity identity(function, problem.left, problem.right, problem.options.outputs, c, watched,
                                passed);
  const auto graph = recorded.whole();
  whole.error =
      identity.error(complete ? whole.matrix : alone, tiling.examples, graph ? graph->predictions : Tensor());
  std::vector<std::string> names;
  for (const int64_t p : watched) names.push_back(function.names()[static_cast<size_t>(p)]);
  whole.checked = complete ? "all parameters" : fmt::format("{}", fmt::join(names, ", "));
  if (whole.error <= allowed_kernel_error(function.parameters().front().scalar_type())) ++passed;
  return kernels;
}

Kernels compute_checked(const NetworkFunction& function, const Tensor& left, const Tensor& right,
                        bool symmetric, const TangentKernelOptions& options, bool by_parameter) {
  function.check_parameters();
  if (!symmetric && options.check != KernelCheck::none) function.check(right);
  const Tensor& parameter = function.parameters().front();
  const KernelProblem problem{function, left,
                              right,    symmetric,
                              options,  options.accumulate_double ? at::kDouble : parameter.scalar_type()};
  Kernels kernels = compute(problem, options.route, by_parameter, true);
  const double allowed = allowed_kernel_error(parameter.scalar_type());
  const auto passes = [&] { return options.check == KernelCheck::none || kernels.whole.error <= allowed; };
  if (passes()) return kernels;
  const std::string finding =
      fmt::format("the kernel fails its random vector-Jacobian check by {:.1e}, {:.1e} is allowed",
                  kernels.whole.error, allowed);
  // LibTorch's batching of an operator can be wrong; what is read from the graph can be, too.
  if (options.route != KernelRoute::rows) {
    kernels = {};  // frees the matrices before others are made
    kernels = compute(problem, options.route, by_parameter, false);
    kernels.whole.notes.push_back(finding + "; outputs went through backward one by one");
    if (passes()) return kernels;
  }
  if (options.route != KernelRoute::automatic)
    throw Error(finding + "; the route rows does not read the graph");
  kernels = {};
  kernels = compute(problem, KernelRoute::rows, by_parameter, false);
  kernels.whole.notes.push_back(finding + "; everything went by rows");
  if (!passes()) throw Error(finding + ", and so does the route rows");
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
