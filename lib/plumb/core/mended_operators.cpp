#include "plumb/core/mended_operators.hpp"

#include <array>
#include <optional>
#include <string>
#include <tuple>

#include <ATen/ATen.h>
#include <ATen/ops/gelu_backward_cpu_dispatch.h>
#include <ATen/ops/native_batch_norm_backward_cpu_dispatch.h>
#include <c10/util/Exception.h>
#include <torch/library.h>
#include <torch/version.h>

namespace plumb {
namespace {

/// As LibTorch declares optional arguments.
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 4)
using MaybeTensor = c10::optional<at::Tensor>;
#else
using MaybeTensor = std::optional<at::Tensor>;
#endif

MaybeTensor in_one_piece(const MaybeTensor& tensor) {
  return tensor && tensor->defined() ? MaybeTensor(tensor->contiguous()) : tensor;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_batch_norm_backward(
    const at::Tensor& gradient, const at::Tensor& input, const MaybeTensor& weight,
    const MaybeTensor& running_mean, const MaybeTensor& running_var, const MaybeTensor& mean,
    const MaybeTensor& inverse_std, bool train, double eps, std::array<bool, 3> wanted) {
  return at::cpu::native_batch_norm_backward(
      gradient, input, in_one_piece(weight), in_one_piece(running_mean), in_one_piece(running_var),
      in_one_piece(mean), in_one_piece(inverse_std), train, eps, wanted);
}

#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 2)
#define PLUMB_MENDS_GELU
/// On one axis there is one way of lying in memory.
at::Tensor gelu_backward(const at::Tensor& gradient, const at::Tensor& input, c10::string_view approximate) {
  const at::Tensor flat = at::cpu::gelu_backward(gradient.reshape({-1}).contiguous(),
                                                 input.reshape({-1}).contiguous(), approximate);
  return flat.view(input.sizes());
}
#endif

/// Takes the warning that an operator is replaced.
class SilentHandler final : public c10::WarningHandler {
 public:
#if TORCH_VERSION_MAJOR < 2
  void process(const c10::SourceLocation&, const std::string&, bool) override {}
  using Guard = c10::Warning::WarningHandlerGuard;
#else
  void process(const c10::Warning&) override {}
  using Guard = c10::WarningUtils::WarningHandlerGuard;
#endif
};

torch::Library mended() {
  SilentHandler silent;
  const SilentHandler::Guard guard(&silent);
  torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
  library.impl("native_batch_norm_backward", TORCH_FN(native_batch_norm_backward));
#ifdef PLUMB_MENDS_GELU
  library.impl("gelu_backward", TORCH_FN(gelu_backward));
#endif
  return library;
}

}  // namespace

void mend_operators() { static const torch::Library library = mended(); }

}  // namespace plumb
