#include "plumb/core/double_arithmetic.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

namespace plumb {
namespace {

// LibTorch names the outermost key that no part of it claims after its own tests.
constexpr auto key = c10::DispatchKey::TESTING_ONLY_GenericMode;

thread_local bool everything_wide = true;

at::ScalarType wide(at::ScalarType dtype) {
  if (c10::isFloatingType(dtype)) return at::kDouble;
  return c10::isComplexType(dtype) ? at::kComplexDouble : dtype;
}

bool is_narrow(const at::Tensor& tensor) {
  return tensor.defined() && tensor.scalar_type() != wide(tensor.scalar_type());
}

bool is_narrow(const c10::IValue& value) {
  if (value.isTensor()) return is_narrow(value.toTensor());
  if (!value.isTensorList()) return false;
  for (const at::Tensor& tensor : value.toTensorVector())
    if (is_narrow(tensor)) return true;
  return false;
}

at::Tensor widened(const at::Tensor& tensor) {
  return is_narrow(tensor) ? tensor.to(wide(tensor.scalar_type())) : tensor;
}

void widen(c10::IValue& value) {
  if (!is_narrow(value)) return;
  if (value.isTensor()) {
    value = widened(value.toTensor());
    return;
  }
  std::vector<at::Tensor> tensors;
  for (const at::Tensor& tensor : value.toTensorVector()) tensors.push_back(widened(tensor));
  value = tensors;
}

void widen_dtype(c10::IValue& value) {
  if (value.isInt()) value = static_cast<int64_t>(wide(static_cast<at::ScalarType>(value.toInt())));
}

bool is_written(const c10::Argument& argument) {
  return argument.alias_info() != nullptr && argument.alias_info()->isWrite();
}

void compute_wide(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard once(key);
  const auto& arguments = op.schema().arguments();
  const size_t first = stack->size() - arguments.size();
  const auto value = [&](size_t i) -> c10::IValue& { return (*stack)[first + i]; };
  bool writes_narrow = false;
  for (size_t i = 0; i < arguments.size(); ++i)
    writes_narrow = writes_narrow || (is_written(arguments[i]) && is_narrow(value(i)));
  // Bits that are read as another type have nothing to do with those of the same number in float64.
  const bool reads_bits = op.schema().name() == "aten::view" && op.schema().overload_name() == "dtype";
  if (writes_narrow || reads_bits) {
    everything_wide = false;
    op.callBoxed(stack);
    return;
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].alias_info() == nullptr) widen(value(i));
    if (arguments[i].name() == "dtype") widen_dtype(value(i));
  }
  op.callBoxed(stack);
  const auto& returns = op.schema().returns();
  for (size_t i = 0; i < returns.size(); ++i)
    if (returns[i].alias_info() == nullptr) widen((*stack)[stack->size() - returns.size() + i]);
}

// When the program is loaded: no other thread may call operators while one is registered.
TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, all) {
  all.fallback(torch::CppFunction::makeFromBoxedFunction<&compute_wide>());
}

}  // namespace

DoubleArithmetic::DoubleArithmetic()
    : included_(c10::impl::tls_is_dispatch_key_included(key)), complete_(everything_wide) {
  everything_wide = true;
  c10::impl::tls_set_dispatch_key_included(key, true);
}

DoubleArithmetic::~DoubleArithmetic() {
  c10::impl::tls_set_dispatch_key_included(key, included_);
  everything_wide = complete_;
}

bool DoubleArithmetic::complete() const { return everything_wide; }

}  // namespace plumb
