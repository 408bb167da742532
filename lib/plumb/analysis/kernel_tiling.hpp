/// How the computation of a tangent kernel is cut into blocks that fit into memory.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "plumb/analysis/tangent_kernel.hpp"

namespace plumb {

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

/// One kernel to be computed.
struct KernelProblem {
  const NetworkFunction& function;
  const Tensor& left;
  const Tensor& right;
  bool symmetric;
  TangentKernelOptions options;
  at::ScalarType dtype;
  bool reads_graph;  // every route but rows

  bool checks() const { return options.check != KernelCheck::none; }
};

/// Rows, or columns, of the kernel of so many examples and outputs.
int64_t kernel_rows(const KernelProblem& problem, int64_t examples, int64_t outputs);

/// Fits blocks into what the budget leaves beside `matrices` kernels. Throws ContractError, naming the bytes
/// needed, when it leaves too little.
KernelTiling fit(const KernelProblem& problem, const KernelPlan& plan, int64_t matrices);

/// In the order of the kernel's rows: a pair of blocks, the later first, lies below the diagonal.
std::vector<KernelBlock> blocks_of(int64_t examples, int64_t outputs, const KernelTiling& tiling);

/// Where a block's rows or columns lie in the kernel.
std::pair<int64_t, int64_t> place(const KernelProblem& problem, const KernelBlock& block, int64_t c);

}  // namespace plumb
