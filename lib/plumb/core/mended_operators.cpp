#include "plumb/core/mended_operators.hpp"

#include <torch/version.h>

#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 2)

#include <string>

#include <ATen/ATen.h>
#include <ATen/ops/gelu_backward_cpu_dispatch.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

namespace plumb {
namespace {

/// On one axis there is one way of lying in memory.
at::Tensor gelu_backward(const at::Tensor& gradient, const at::Tensor& input, c10::string_view approximate) {
  const at::Tensor flat = at::cpu::gelu_backward(gradient.reshape({-1}).contiguous(),
                                                 input.reshape({-1}).contiguous(), approximate);
  return flat.view(input.sizes());
}

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
  library.impl("gelu_backward", TORCH_FN(gelu_backward));
  return library;
}

}  // namespace

void mend_operators() { static const torch::Library library = mended(); }

}  // namespace plumb

#else

namespace plumb {

void mend_operators() {}

}  // namespace plumb

#endif
