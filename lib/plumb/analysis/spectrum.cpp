#include "plumb/analysis/spectrum.hpp"

#include <limits>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

Tensor sorted_finite_values(const Tensor& values, const char* what) {
  expects(values.defined() && values.dim() == 1 && values.is_floating_point(),
          "spectrum: not a list of floating-point {}; a tensor of one dimension is expected", what);
  const Tensor wide = values.detach().to(at::kCPU, at::kDouble);
  expects(at::isfinite(wide).all().item<bool>(), "spectrum: {} that are not finite; finite ones are expected",
          what);
  return std::get<0>(wide.sort(0, /*descending=*/true));
}

}  // namespace

Spectrum Spectrum::of_singular_values(const Tensor& values) {
  const Tensor sorted = sorted_finite_values(values, "singular values");
  expects(sorted.numel() == 0 || sorted[-1].item<double>() >= 0,
          "spectrum: the singular value {}; none below 0 is expected",
          sorted.numel() == 0 ? 0.0 : sorted[-1].item<double>());
  return {sorted};
}

Spectrum Spectrum::of_gram_eigenvalues(const Tensor& eigenvalues) {
  return {sorted_finite_values(eigenvalues, "eigenvalues").clamp_min(0).sqrt()};
}

double Spectrum::largest() const {
  return size() == 0 ? std::numeric_limits<double>::quiet_NaN() : values[0].item<double>();
}

double Spectrum::smallest() const {
  return size() == 0 ? std::numeric_limits<double>::quiet_NaN() : values[-1].item<double>();
}

double Spectrum::condition_number() const {
  return smallest() == 0 ? std::numeric_limits<double>::infinity() : largest() / smallest();
}

double Spectrum::stable_rank() const {
  if (size() == 0 || largest() == 0) return 0;
  // Divided first: the squares of large or small singular values leave the range of a double.
  return (values / largest()).square().sum().item<double>();
}

double Spectrum::effective_rank() const {
  if (size() == 0 || largest() == 0) return 0;
  const Tensor scaled = values / largest();
  const Tensor share = scaled / scaled.sum();
  return at::special_entr(share).sum().exp().item<double>();
}

int64_t Spectrum::count_above(double tolerance) const { return (values > tolerance).sum().item<int64_t>(); }

}  // namespace plumb
