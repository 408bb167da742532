#include "plumb/analysis/kernel_tiling.hpp"

#include <algorithm>

#include "plumb/core/error.hpp"
#include "plumb/core/memory.hpp"

namespace plumb {
namespace {

constexpr double mebi = 1024.0 * 1024.0;

int64_t default_budget(const at::Device& device) {
  return device.is_cpu() ? available_memory() / 2 : int64_t{4} << 30;
}

/// What may be held, when `needed` is about what would be without a limit.
double budget_for(const KernelProblem& problem, double needed) {
  // Looking up what the system has takes as long as a small kernel.
  constexpr double small = 64 * mebi;
  if (problem.options.memory) return static_cast<double>(*problem.options.memory);
  return needed <= small / 2 ? small : static_cast<double>(default_budget(problem.left.device()));
}

}  // namespace

int64_t kernel_rows(const KernelProblem& problem, int64_t examples, int64_t outputs) {
  return problem.options.outputs == KernelOutputs::pairs ? examples * outputs : examples;
}

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
  // The check holds J' u of each side, once more where blocks are added up.
  const auto held = [&](const KernelTiling& tiling) {
    const bool whole = tiling.examples == n && tiling.outputs == c;
    const double captured =
        plan.bytes(tiling.examples, tiling.outputs, tiling.at_once) * (whole && problem.symmetric ? 1 : 2);
    const double sides = problem.symmetric ? 1 : 2, checked = problem.checks() ? sides + (whole ? 0 : 1) : 0;
    return scratch + captured + checked * parameter_bytes;
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

std::vector<KernelBlock> blocks_of(int64_t examples, int64_t outputs, const KernelTiling& tiling) {
  std::vector<KernelBlock> blocks;
  for (int64_t begin = 0; begin < examples; begin += tiling.examples)
    for (int64_t first = 0; first < outputs; first += tiling.outputs)
      blocks.push_back({begin, std::min(examples, begin + tiling.examples), first,
                        std::min(outputs, first + tiling.outputs)});
  return blocks;
}

std::pair<int64_t, int64_t> place(const KernelProblem& problem, const KernelBlock& block, int64_t c) {
  if (problem.options.outputs == KernelOutputs::summed) return {block.begin, block.end};
  // Blocks with a part of the outputs hold one example.
  return {block.begin * c + block.first, (block.end - 1) * c + block.last};
}

}  // namespace plumb
