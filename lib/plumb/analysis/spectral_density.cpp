#include "plumb/analysis/spectral_density.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <torch/torch.h>

#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// The tridiagonal matrix (k, k), float64 on the CPU, of at most `steps` Lanczos steps from v.
Tensor lanczos_tridiagonal(const SymmetricOperator& a, const Tensor& v, int64_t steps) {
  const double epsilon = v.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                       : std::numeric_limits<double>::epsilon();
  Tensor basis = at::zeros({steps, a.size()}, v.options());
  basis[0].copy_(v);
  Tensor t = at::zeros({steps, steps}, at::kDouble);
  double norm = 0;
  for (int64_t j = 0;; ++j) {
    Tensor w = a.apply(basis[j].unsqueeze(1)).detach().squeeze(1);
    const double length = w.norm().item<double>();
    expects(std::isfinite(length), "spectral density: a product with the operator is not finite");
    norm = std::max(norm, length);
    t[j][j] = at::dot(basis[j].to(at::kDouble), w.to(at::kDouble)).to(at::kCPU);
    if (j + 1 == steps) return t;
    const Tensor filled = basis.narrow(0, 0, j + 1);
    for (int pass = 0; pass < 2; ++pass) w = w - at::mv(filled.t(), at::mv(filled, w));
    const double rest = w.norm().item<double>();
    if (rest <= 10 * epsilon * norm) return t.narrow(0, 0, j + 1).narrow(1, 0, j + 1).contiguous();
    t[j][j + 1] = rest;
    t[j + 1][j] = rest;
    basis[j + 1].copy_(w / rest);
  }
}

/// The nodes drawn as Gaussians on a grid that reaches past them.
void draw_density(SpectralDensity& result, const SpectralDensityOptions& options) {
  const Tensor counted = result.nodes.masked_select(result.weights > 0);
  const double least = counted.min().item<double>();
  const double largest = counted.max().item<double>();
  result.width = options.width > 0 ? options.width : (largest - least) / 100;
  // All eigenvalues equal: any width will do that a double can tell from 0.
  if (result.width == 0) result.width = std::max(std::abs(largest) * 1e-6, 1e-12);
  result.grid = at::linspace(least - 4 * result.width, largest + 4 * result.width, options.grid, at::kDouble);
  const Tensor nodes = result.nodes.flatten();
  const Tensor weights = result.weights.flatten();
  const Tensor distance = (result.grid.unsqueeze(1) - nodes) / result.width;
  const double height = 1 / (result.width * std::sqrt(2 * M_PI));
  result.density = at::mv(distance.square().mul(-0.5).exp(), weights) * height;
}

}  // namespace

double SpectralDensity::mean(const std::function<double(double)>& f) const {
  const Tensor flat_nodes = nodes.flatten();
  const Tensor flat_weights = weights.flatten();
  const auto node = flat_nodes.accessor<double, 1>();
  const auto weight = flat_weights.accessor<double, 1>();
  double sum = 0;
  for (int64_t i = 0; i < node.size(0); ++i) {
    if (weight[i] > 0) sum += weight[i] * f(node[i]);
  }
  return sum;
}

double SpectralDensity::moment(int k) const { return (weights * nodes.pow(k)).sum().item<double>(); }

double SpectralDensity::moment_standard_error(int k) const {
  const int64_t samples = nodes.size(0);
  if (samples < 2) return std::numeric_limits<double>::quiet_NaN();
  const Tensor each = (weights * nodes.pow(k)).sum(1) * static_cast<double>(samples);
  return each.std().item<double>() / std::sqrt(static_cast<double>(samples));
}

SpectralDensity spectral_density(const SymmetricOperator& a, const SpectralDensityOptions& options,
                                 at::Generator& generator) {
  expects(
      a.size() > 0 && options.steps > 0 && options.samples > 0 && options.grid > 1,
      "spectral density: {} steps, {} samples, {} grid points, size {}; at least 1, 1, 2 and 1 are expected",
      options.steps, options.samples, options.grid, a.size());
  const int64_t steps = std::min(options.steps, a.size());
  SpectralDensity result;
  result.nodes = at::zeros({options.samples, steps}, at::kDouble);
  result.weights = at::zeros({options.samples, steps}, at::kDouble);
  for (int64_t i = 0; i < options.samples; ++i) {
    // Normal draws made to unit length are uniform on the sphere, for which E v^T A^k v = tr A^k / size.
    const Tensor draw = at::randn({a.size()}, generator, at::TensorOptions(at::kDouble));
    const Tensor t = lanczos_tridiagonal(a, (draw / draw.norm()).to(a.options()), steps);
    const OneBlasThread small(t.size(0));
    auto [values, vectors] = at::linalg_eigh(t);
    result.nodes[i].narrow(0, 0, values.numel()).copy_(values);
    result.weights[i].narrow(0, 0, values.numel()).copy_(vectors[0].square());
    result.products += values.numel();
  }
  result.weights.div_(static_cast<double>(options.samples));
  draw_density(result, options);
  return result;
}

}  // namespace plumb
