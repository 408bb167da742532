#include "plumb/autograd/batched.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/functorch/BatchedFallback.h>
#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <c10/core/GradMode.h>

#include "plumb/autograd/dual_level.hpp"
#include "plumb/autograd/functional_steps.hpp"
#include "plumb/core/compat.hpp"

namespace plumb::autograd::functional {
namespace {

namespace functorch = at::functorch;

/// LibTorch's second generation of batching, with rules for nearly every backward formula.
class BatchLayer {
 public:
  explicit BatchLayer(int64_t size) : size_(size), warns_(functorch::isVmapFallbackWarningEnabled()) {
    // An operator without a rule is run once per element, which LibTorch would print.
    functorch::setVmapFallbackWarningEnabled(false);
    level_ = functorch::initAndPushDynamicLayer(functorch::TransformType::Vmap, size,
                                                functorch::RandomnessType::Error);
  }
  BatchLayer(const BatchLayer&) = delete;
  BatchLayer& operator=(const BatchLayer&) = delete;
  ~BatchLayer() {
    functorch::popDynamicLayerAndDeleteMetadata();
    functorch::setVmapFallbackWarningEnabled(warns_);
  }

  /// (b, ...) as one tensor of sizes (...).
  Tensor hidden(const Tensor& batch) const { return functorch::addBatchDim(batch, 0, level_); }

  /// The inverse; a tensor that is the same for the whole batch is repeated without memory.
  Tensor shown(const Tensor& tensor) const {
    const auto* batched = functorch::maybeGetBatchedImpl(tensor);
    if (batched == nullptr || batched->level() != level_) {
      auto sizes = tensor.sizes().vec();
      sizes.insert(sizes.begin(), size_);
      return tensor.expand(sizes);
    }
    return batched->value().movedim(batched->bdim(), 0);
  }

 private:
  BatchingLock lock_;  // to be released after all else
  int64_t size_;
  bool warns_;
  int64_t level_ = 0;
};

/// LibTorch's first generation, the one that works below dual tensors; Python's forward mode uses it too.
/// Nested batches need different levels.
class BatchBelowDuals {
 public:
  explicit BatchBelowDuals(int64_t size) : size_(size), level_(++depth_) {}
  BatchBelowDuals(const BatchBelowDuals&) = delete;
  BatchBelowDuals& operator=(const BatchBelowDuals&) = delete;
  ~BatchBelowDuals() { --depth_; }

  Tensor hidden(const Tensor& batch) const { return at::_add_batch_dim(batch, 0, level_); }
  Tensor shown(const Tensor& tensor) const { return at::_remove_batch_dim(tensor, level_, size_, 0); }

 private:
  static thread_local int64_t depth_;
  int64_t size_;
  int64_t level_;
};

thread_local int64_t BatchBelowDuals::depth_ = 0;

/// Weights of the combination of a batch's elements by which it is compared: fixed, all different, no
/// symmetry.
Tensor combination_weights(int64_t size, const Tensor& like) {
  const Tensor count = at::arange(1, size + 1, like.options().dtype(at::kDouble).requires_grad(false));
  return (count * count * 0.7548776662466927).frac().add(0.25).to(like.scalar_type());
}

/// sum_b weight_b batch[b]; undefined stays undefined.
Tensor combined(const Tensor& batch) {
  if (!batch.defined()) return batch;
  const Tensor weights = combination_weights(batch.size(0), batch);
  return at::tensordot(weights, batch.detach(), {0}, {0});
}

Tensors combined(const Tensors& batches) {
  Tensors result;
  for (const Tensor& batch : batches) result.push_back(combined(batch));
  return result;
}

double rounding_of(at::ScalarType type) {
  switch (at::toRealValueType(type)) {
    case at::kDouble:
      return std::numeric_limits<double>::epsilon();
    case at::kFloat:
      return std::numeric_limits<float>::epsilon();
    default:
      return 0.01;  // half precisions
  }
}

/// True when both are the same up to rounding, and finite in the same places.
bool agree(const Tensor& found, const Tensor& expected) {
  if (!found.defined() || !expected.defined()) return found.defined() == expected.defined();
  const Tensor finite = expected.isfinite();
  if (!found.isfinite().equal(finite)) return false;
  if (expected.numel() == 0) return true;
  const Tensor zero = at::zeros({}, expected.options());
  const double difference = at::where(finite, found - expected, zero).abs().max().item<double>();
  const double size = at::where(finite, expected, zero).abs().max().item<double>();
  return difference <= std::sqrt(rounding_of(expected.scalar_type())) * size;
}

bool agree(const Tensors& found, const Tensors& expected) {
  for (size_t i = 0; i < found.size(); ++i)
    if (!agree(found[i], expected[i])) return false;
  return true;
}

}  // namespace

std::optional<Tensors> unchecked_batch(const Tensors& batches,
                                       const std::function<Tensors(const Tensors&)>& body) {
  try {
    const BatchLayer layer(batches.front().size(0));
    Tensors hidden, found;
    for (const Tensor& batch : batches) hidden.push_back(layer.hidden(batch));
    for (const Tensor& tensor : body(hidden))
      found.push_back(tensor.defined() ? layer.shown(tensor) : tensor);
    return found;
  } catch (const std::exception&) {  // the engine rethrows what an operator threw, under another type
    return std::nullopt;
  }
}

std::optional<Tensors> batched_gradients(const Tensors& outputs, const Tensors& inputs,
                                         const Tensors& cotangents, bool create_graph) {
  const auto found = unchecked_batch(cotangents, [&](const Tensors& hidden) {
    return gradients(outputs, inputs, hidden, create_graph, /*retain_graph=*/true);
  });
  if (!found) return std::nullopt;
  // Batching rules are many, and some versions of LibTorch have wrong ones.
  const Tensors expected =
      gradients(outputs, inputs, combined(cotangents), /*create_graph=*/false, /*retain_graph=*/true);
  if (!agree(combined(*found), expected)) return std::nullopt;
  return found;
}

Tensors tangents_of(const Function& function, const Tensors& inputs, const Tensors& tangents,
                    Tensors& values) {
  const c10::AutoFwGradMode carry_tangents(true);
  const DualLevel level;
  Tensors duals;
  for (size_t i = 0; i < inputs.size(); ++i)
    duals.push_back(tangents[i].defined() ? level.dual(inputs[i], tangents[i]) : inputs[i]);
  values.clear();
  Tensors found;
  for (const Tensor& output : evaluate("jacobian", function, duals, /*strict=*/false)) {
    values.push_back(output.detach());
    const Tensor tangent = level.tangent(output);
    const bool has_memory = tangent.defined() && !tangent._is_zerotensor();
    found.push_back(has_memory ? tangent : at::zeros_like(values.back()));
  }
  return found;
}

std::optional<Tensors> batched_tangents(const Function& function, const Tensors& inputs,
                                        const Tensors& tangents, Tensors& values) {
  Tensors found;
  try {
    const BatchBelowDuals batch(tangents.front().size(0));
    Tensors hidden;
    for (const Tensor& tangent : tangents) hidden.push_back(batch.hidden(tangent));
    for (const Tensor& tangent : tangents_of(function, inputs, hidden, values))
      found.push_back(batch.shown(tangent).detach());  // batches have no detach
  } catch (const c10::Error&) {
    return std::nullopt;
  }
  if (!agree(combined(found), tangents_of(function, inputs, combined(tangents), values))) return std::nullopt;
  return found;
}

}  // namespace plumb::autograd::functional
