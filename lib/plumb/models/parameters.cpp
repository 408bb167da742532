#include "plumb/models/parameters.hpp"

#include <algorithm>
#include <unordered_set>

#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// The bytes from the first to the last element of a parameter, as addresses.
struct MemorySpan {
  const NamedParameter* parameter;
  uintptr_t begin, end;
};

/// Elements of storage that a strided tensor reaches over; none for tensors without a storage (sparse ones).
int64_t elements_reached(const Tensor& tensor) {
  if (!tensor.has_storage() || tensor.numel() == 0) return 0;
  int64_t last = 0;
  for (int64_t axis = 0; axis < tensor.dim(); ++axis) last += (tensor.size(axis) - 1) * tensor.stride(axis);
  return last + 1;
}

std::vector<MemorySpan> memory_spans(const std::vector<NamedParameter>& parameters) {
  std::vector<MemorySpan> spans;
  for (const NamedParameter& parameter : parameters) {
    const int64_t reach = elements_reached(parameter.value);
    if (reach == 0) continue;
    const auto begin = reinterpret_cast<uintptr_t>(parameter.value.data_ptr());
    if (begin == 0) continue;  // meta tensors hold no memory
    spans.push_back(
        {&parameter, begin, begin + static_cast<uintptr_t>(reach) * parameter.value.element_size()});
  }
  std::ranges::stable_sort(spans, {}, &MemorySpan::begin);
  return spans;
}

/// The elements that `tensor` reaches in a storage that begins `offset` elements before it.
Tensor mark(const Tensor& marks, const Tensor& tensor, int64_t offset) {
  return marks.as_strided(tensor.sizes(), tensor.strides(), offset);
}

/// Whether an element of one is an element of the other: spans that interleave need not share any.
bool share_elements(const MemorySpan& first, const MemorySpan& second) {
  const Tensor &a = first.parameter->value, &b = second.parameter->value;
  const auto size = static_cast<uintptr_t>(a.element_size());
  const uintptr_t shift = second.begin - first.begin;
  if (a.element_size() != b.element_size() || shift % size != 0) return true;
  const auto offset = static_cast<int64_t>(shift / size);
  const Tensor marks =
      at::zeros({std::max(elements_reached(a), offset + elements_reached(b))}, at::TensorOptions(at::kBool));
  mark(marks, a, 0).fill_(true);
  return mark(marks, b, offset).any().item<bool>();
}

void refuse_shared_memory(const std::vector<NamedParameter>& parameters) {
  const std::vector<MemorySpan> spans = memory_spans(parameters);
  for (size_t i = 0; i < spans.size(); ++i)
    for (size_t j = i + 1; j < spans.size() && spans[j].begin < spans[i].end; ++j)
      expects(
          !share_elements(spans[i], spans[j]),
          "the parameters '{}' and '{}' are different tensors that share memory, so that an update of one "
          "would move the other; register one tensor under both names",
          spans[i].parameter->name, spans[j].parameter->name);
}

bool overlaps_itself(const Tensor& tensor) {
  switch (at::has_internal_overlap(tensor)) {
    case at::MemOverlap::No:
      return false;
    case at::MemOverlap::Yes:
      return true;
    default:
      break;
  }
  const int64_t reach = elements_reached(tensor);
  if (reach == 0) return false;
  const Tensor marks = at::zeros({reach}, at::TensorOptions(at::kBool));
  mark(marks, tensor, 0).fill_(true);
  return marks.sum().item<int64_t>() < tensor.numel();
}

}  // namespace

std::vector<NamedParameter> distinct_parameters(const torch::nn::Module& module) {
  std::vector<NamedParameter> parameters;
  std::unordered_set<const c10::TensorImpl*> seen;
  for (const auto& item : module.named_parameters())
    if (seen.insert(item.value().unsafeGetTensorImpl()).second)
      parameters.push_back({item.key(), item.value()});
  return parameters;
}

std::vector<NamedParameter> named_trainable_parameters(const torch::nn::Module& module) {
  std::vector<NamedParameter> parameters = distinct_parameters(module);
  std::erase_if(parameters, [](const NamedParameter& parameter) { return !parameter.value.requires_grad(); });
  refuse_shared_memory(parameters);
  return parameters;
}

std::vector<Tensor> trainable_parameters(const torch::nn::Module& module) {
  std::vector<Tensor> values;
  for (NamedParameter& parameter : named_trainable_parameters(module))
    values.push_back(std::move(parameter.value));
  return values;
}

void check_can_be_trained(const std::vector<NamedParameter>& parameters) {
  for (const auto& [name, value] : parameters) {
    expects(
        value.is_leaf(),
        "the parameter '{}' is computed from other tensors and gets no gradient of its own; register what "
        "it is computed from",
        name);
    expects(!value.is_complex(), "the parameter '{}' is complex; training moves real parameters", name);
    expects(!overlaps_itself(value),
            "elements of the parameter '{}' share memory (an expanded tensor); register it contiguous", name);
  }
}

}  // namespace plumb
