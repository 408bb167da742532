/// The empirical tangent kernel G = J J' of a network's predictions (Jacot, Gabriel & Hongler 2018), exact,
/// within a memory budget.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/analysis/network_function.hpp"

namespace plumb {

struct TangentKernelOptions {
  KernelRoute route = KernelRoute::automatic;
  KernelOutputs outputs = KernelOutputs::pairs;
  /// Bytes that the computation may hold at a time, the kernel included; none: half of what is available on
  /// the CPU, 4 GiB on another device. The result does not depend on it beyond rounding.
  std::optional<int64_t> memory = std::nullopt;
  /// How the result is held against vector-Jacobian products, with random vectors that are new in every call.
  /// Unless it is not at all, every example's predictions are held against those in other company, too; see
  /// NetworkFunction::check_predictions. A complete check costs about as much as the kernel where examples
  /// are few.
  KernelCheck check = KernelCheck::in_turn;
  /// Sums in float64 over a network of lower precision; the kernel is then float64.
  bool accumulate_double = false;
};

struct TangentKernel {
  Tensor matrix;                   // (n c, n' c) or, summed, (n, n'); row i c + k is output k of example i
  int64_t outputs = 0;             // c
  std::string route;               // "structured: 3 product, 1 identity"
  std::vector<std::string> notes;  // what did not go by the route asked for, and why; what has no gradient
  int64_t blocks = 1;              // the examples and outputs were taken in so many blocks
  double error = 0;                // the largest of all checks, relative; NaN: not checked
  std::string checked;             // "all parameters", or the names of those that were
};

/// G of `inputs` with themselves; (n c, n c), symmetric. Throws ContractError as NetworkFunction::check does,
/// when predictions have no graph or a derivative is not finite, and when the budget cannot hold the kernel
/// and one example, naming the bytes needed. A parameter whose part fails its check goes by rows, each
/// example alone, and is named in the notes; what else goes wrong in a faster route sends everything by rows
/// when the route is automatic, and throws Error when it was asked for by name.
TangentKernel tangent_kernel(const NetworkFunction& function, const Tensor& inputs,
                             const TangentKernelOptions& options = {});

/// G of `inputs` (rows) with `others` (columns).
TangentKernel tangent_kernel(const NetworkFunction& function, const Tensor& inputs, const Tensor& others,
                             const TangentKernelOptions& options = {});

/// The kernels of single parameters, in the order of function.names(); their sum is G.
struct ParameterKernels {
  std::vector<std::string> names;
  std::vector<Tensor> matrices;
  TangentKernel whole;
};
ParameterKernels tangent_kernel_by_parameter(const NetworkFunction& function, const Tensor& inputs,
                                             const TangentKernelOptions& options = {});
/// The same of `inputs` (rows) with `others` (columns).
ParameterKernels tangent_kernel_by_parameter(const NetworkFunction& function, const Tensor& inputs,
                                             const Tensor& others, const TangentKernelOptions& options = {});

}  // namespace plumb
