#include "plumb/analysis/trace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// (size, b) of independent signs, drawn on the CPU.
Tensor draw_signs(const SymmetricOperator& a, int64_t count, at::Generator& generator) {
  return at::randint(0, 2, {a.size(), count}, generator, at::TensorOptions(at::kDouble))
      .mul_(2)
      .sub_(1)
      .to(a.options());
}

Tensor finite_product(const SymmetricOperator& a, const Tensor& x) {
  Tensor y = a.apply(x).detach();
  expects(at::isfinite(y).all().item<bool>(), "trace: a product with the operator is not finite");
  return y;
}

/// Mean and standard error of z_i^T A z_i.
TraceEstimate mean_of_samples(const Tensor& z, const Tensor& product) {
  const Tensor samples = (z.to(at::kDouble) * product).sum(0);
  const int64_t count = samples.numel();
  TraceEstimate estimate;
  estimate.value = samples.mean().item<double>();
  estimate.standard_error = count > 1 ? samples.std().item<double>() / std::sqrt(static_cast<double>(count))
                                      : std::numeric_limits<double>::quiet_NaN();
  return estimate;
}

}  // namespace

TraceEstimate hutchinson_trace(const SymmetricOperator& a, int64_t samples, at::Generator& generator) {
  expects(samples > 0, "trace: {} samples; at least one is expected", samples);
  const Tensor z = draw_signs(a, samples, generator);
  TraceEstimate estimate = mean_of_samples(z, finite_product(a, z));
  estimate.products = samples;
  return estimate;
}

TraceEstimate hutch_plus_plus_trace(const SymmetricOperator& a, int64_t products, at::Generator& generator) {
  expects(products >= 3, "trace: {} products; Hutch++ needs at least 3", products);
  const int64_t width = std::min(products / 3, a.size());
  const Tensor sketch = finite_product(a, draw_signs(a, width, generator));
  const Tensor q = std::get<0>(at::linalg_qr(sketch));
  const double on_range = (q.to(at::kDouble) * finite_product(a, q)).sum().item<double>();
  TraceEstimate estimate;
  estimate.products = 2 * width;
  if (width < a.size()) {
    const int64_t samples = products - 2 * width;
    Tensor g = draw_signs(a, samples, generator);
    g = g - at::mm(q, at::mm(q.t(), g));
    estimate = mean_of_samples(g, finite_product(a, g));
    estimate.products = products;
  }
  estimate.value += on_range;
  return estimate;
}

}  // namespace plumb
