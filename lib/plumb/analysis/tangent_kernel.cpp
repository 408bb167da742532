#include "plumb/analysis/tangent_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/memory.hpp"
#include "plumb/core/random.hpp"

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

/// Fits blocks into what the budget leaves beside `matrices` kernels.
KernelTiling fit(const KernelProblem& problem, const KernelPlan& plan, int64_t matrices) {
  const double budget =
      static_cast<double>(problem.options.memory.value_or(default_budget(problem.left.device())));
  const int64_t c = plan.outputs(), n = std::max(problem.left.size(0), problem.right.size(0));
  const double kernel = static_cast<double>(kernel_rows(problem, problem.left.size(0), c)) *
                        static_cast<double>(kernel_rows(problem, problem.right.size(0), c)) *
                        static_cast<double>(c10::elementSize(problem.dtype)) * static_cast<double>(matrices);
  const double left = budget - kernel;
  const double scratch = std::clamp(left / 8, 16.0 * (1 << 20), 512.0 * (1 << 20));
  // The check holds J' u, once more where blocks are added up, and once more where inputs are two.
  const double checked = problem.options.check
                             ? (problem.symmetric ? 2.0 : 3.0) *
                                   static_cast<double>(problem.function.parameter_count()) *
                                   static_cast<double>(problem.function.parameters().front().element_size())
                             : 0;
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
/// a summary of the terms.
template <class Target>
std::string accumulate(const KernelProblem& problem, const KernelPlan& plan, const KernelTiling& tiling,
                       RecordedBlocks& recorded, const Target& target) {
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
      for (size_t t = 0; t < mine.size(); ++t)
        add_contribution(target(mine[t].parameter).slice(0, row, row_end).slice(1, column, column_end),
                         mine[t], same ? mine[t] : theirs[t], problem.options.outputs, same, tiling.scratch);
    }
  }
  return forms;
}

/// J' u for signs u, (n, c), in blocks; `predictions`: of all inputs with their graph, or undefined.
std::vector<Tensor> pulled_back(const NetworkFunction& function, const Tensor& inputs, const Tensor& signs,
                                int64_t block, const Tensor& predictions = {}) {
  const NetworkFunction::Differentiation differentiation(function);
  std::vector<Tensor> sums(function.parameters().size());
  if (predictions.defined()) block = inputs.size(0);
  for (int64_t begin = 0; begin < inputs.size(0); begin += block) {
    const int64_t end = std::min(inputs.size(0), begin + block);
    const Tensor part = predictions.defined() ? predictions : function(inputs.slice(0, begin, end).detach());
    if (!part.requires_grad()) continue;
    const Tensor cotangent = signs.slice(0, begin, end).to(part.scalar_type());
    const auto gradients = torch::autograd::grad({part}, function.parameters(), {cotangent},
                                                 /*retain_graph=*/predictions.defined(),
                                                 /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < sums.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const Tensor gradient = gradients[i].detach().flatten();
      // A gradient may share its memory with others: only a copy is added to.
      if (sums[i].defined())
        sums[i].add_(gradient);
      else
        sums[i] = block >= inputs.size(0) ? gradient : gradient.clone();
    }
  }
  return sums;
}

double inner(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].defined() && b[i].defined()) sum += at::dot(a[i], b[i]).item<double>();
  return sum;
}

/// |u' G v - <J' u, J~' v>| / (|J' u| |J~' v|) with random signs u, v; v = u when symmetric.
double pairs_error(const KernelProblem& problem, const Tensor& kernel, int64_t c, int64_t block,
                   const Tensor& predictions) {
  at::Generator generator = Seed(0).stream("kernel check");
  const auto signs = [&](const Tensor& inputs) {
    return (at::randint(2, {inputs.size(0), c}, generator, at::TensorOptions(at::kDouble)) * 2 - 1)
        .to(inputs.device());
  };
  const Tensor u = signs(problem.left), v = problem.symmetric ? u : signs(problem.right);
  const auto left = pulled_back(problem.function, problem.left, u, block, predictions);
  double expected = inner(left, left), scale = expected;
  if (!problem.symmetric) {
    const auto right = pulled_back(problem.function, problem.right, v, block);
    scale = std::sqrt(expected * inner(right, right));
    expected = inner(left, right);
  }
  const Tensor product = at::mv(kernel, v.flatten().to(kernel.scalar_type())).to(at::kDouble);
  const double found = at::dot(product, u.flatten()).item<double>();
  return std::abs(found - expected) / std::max(scale, 1e-300);
}

/// The same for a trace over outputs, sum_k <J_k' u, J~_k' v>, on a few examples spread over the inputs: it
/// takes a backward pass per output.
double summed_error(const KernelProblem& problem, const Tensor& kernel, int64_t c) {
  at::Generator generator = Seed(0).stream("kernel check");
  const auto spread = [](const Tensor& inputs) {
    return at::arange(0, inputs.size(0), std::max<int64_t>(1, inputs.size(0) / 8)).to(inputs.device());
  };
  const auto signs = [&](const Tensor& chosen) {
    return (at::randint(2, {chosen.size(0)}, generator, at::TensorOptions(at::kDouble)) * 2 - 1)
        .to(chosen.device());
  };
  const Tensor i = spread(problem.left), j = spread(problem.right);
  const Tensor u = signs(i), v = problem.symmetric ? u : signs(j);
  const Tensor left_inputs = problem.left.index_select(0, i), right_inputs = problem.right.index_select(0, j);
  double expected = 0, left_size = 0, right_size = 0;
  for (int64_t k = 0; k < c; ++k) {
    const auto of_output = [&](const Tensor& weights) {
      Tensor cotangent = at::zeros({weights.size(0), c}, weights.options());
      cotangent.select(1, k).copy_(weights);
      return cotangent;
    };
    const auto left = pulled_back(problem.function, left_inputs, of_output(u), i.size(0));
    const auto right = pulled_back(problem.function, right_inputs, of_output(v), j.size(0));
    expected += inner(left, right);
    left_size += inner(left, left);
    right_size += inner(right, right);
  }
  const Tensor part = kernel.index_select(0, i).index_select(1, j).to(at::kDouble);
  const double found = at::dot(u, at::mv(part, v)).item<double>();
  return std::abs(found - expected) / std::max(std::sqrt(left_size * right_size), 1e-300);
}

double tolerance(const Tensor& parameter) {
  switch (parameter.scalar_type()) {
    case at::kDouble:
      return 1.5e-8;
    case at::kFloat:
      return 3.5e-4;
    default:
      return 0.1;  // bfloat16, half
  }
}

struct Kernels {
  std::vector<Tensor> matrices;
  TangentKernel whole;
};

/// `batching`: whether several outputs may share a backward pass.
Kernels compute(const KernelProblem& problem, KernelRoute route, bool by_parameter, bool batching) {
  const NetworkFunction::Differentiation differentiation(problem.function);
  auto trial = std::make_shared<const KernelRecording>(problem.function, trial_examples(problem.left));
  if (problem.options.check) problem.function.check(problem.left, trial->predictions);
  const KernelPlan plan(problem.function, *trial,
                        {.route = route,
                         .outputs = problem.options.outputs,
                         .by_parameter = by_parameter,
                         .left = problem.left.size(0),
                         .right = problem.right.size(0),
                         .dtype = problem.dtype});
  const auto parameters = static_cast<int64_t>(problem.function.parameters().size());
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
  const std::string forms = accumulate(problem, plan, tiling, recorded, [&](int64_t parameter) {
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
                            route == KernelRoute::rows          ? "rows"
                            : route == KernelRoute::contraction ? "contraction"
                                                                : "structured",
                            forms);
  for (const std::string& name : plan.by_rows()) whole.notes.push_back(name + " went by rows");
  whole.blocks = static_cast<int64_t>(blocks_of(problem.left.size(0), c, tiling).size());
  if (!problem.options.check) {
    whole.error = std::numeric_limits<double>::quiet_NaN();
    return kernels;
  }
  const auto graph = recorded.whole();
  whole.error =
      problem.options.outputs == KernelOutputs::pairs
          ? pairs_error(problem, whole.matrix, c, tiling.examples, graph ? graph->predictions : Tensor())
          : summed_error(problem, whole.matrix, c);
  return kernels;
}

Kernels compute_checked(const NetworkFunction& function, const Tensor& left, const Tensor& right,
                        bool symmetric, const TangentKernelOptions& options, bool by_parameter) {
  function.check_parameters();
  if (!symmetric && options.check) function.check(right);
  const Tensor& parameter = function.parameters().front();
  const KernelProblem problem{function, left,
                              right,    symmetric,
                              options,  options.accumulate_double ? at::kDouble : parameter.scalar_type()};
  Kernels kernels = compute(problem, options.route, by_parameter, true);
  const double allowed = tolerance(parameter);
  const auto passes = [&] { return !options.check || kernels.whole.error <= allowed; };
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
