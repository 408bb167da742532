#include "plumb/lecture/short_path_run.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <torch/torch.h>

#include "plumb/analysis/lanczos.hpp"
#include "plumb/autograd/functional.hpp"
#include "plumb/theory/jacobian_structure.hpp"

namespace plumb {
namespace {

/// max |tanh''| = 4/(3 sqrt 3), at tanh^2 = 1/3; |tanh'| <= 1.
const double tanh_curvature = 4 / (3 * std::sqrt(3.0));

Tensor gaussian_of(std::vector<int64_t> shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Tensor tanh_slopes(const Tensor& inputs, const Tensor& weights) {
  return 1 - at::tanh(at::mm(inputs, weights.t())).square();
}

double smallest_sigma(const Tensor& gram) {
  return std::sqrt(std::max(0.0, at::linalg_eigvalsh(gram)[0].item<double>()));
}

theory::LocalJacobian local_bounds(const TanhNetwork& network, double sigma, double residual) {
  const theory::HiddenLayerBounds bounds =
      theory::hidden_layer_bounds(network.inputs, network.output_weights.size(0), 1, 1, tanh_curvature);
  theory::LocalJacobian local;
  local.beta = bounds.norm;
  local.lipschitz = bounds.lipschitz;
  local.initial_residual = residual;
  // alpha (sigma - alpha) = 4 lipschitz residual, the larger root.
  const double discriminant = sigma * sigma - 16 * local.lipschitz * residual;
  local.alpha = (sigma + std::sqrt(std::max(0.0, discriminant))) / 2;
  local.step = theory::short_path_step(local);
  return local;
}

/// The solution to which successive projections of w_0 on linearized constraints converge: w - w_0 in the
/// range of J(w)^T and f(w) = y.
void find_nearest(ShortPathRun& run, const TanhNetwork& network, const Tensor& start, const Tensor& targets) {
  Tensor offset = torch::zeros({start.numel()}, torch::kDouble);
  for (int round = 0; round < 50; ++round) {
    const Tensor weights = start + offset.reshape(start.sizes());
    const Tensor jacobian = network.jacobian(weights);
    const Tensor wanted = targets - network.predictions(weights) + at::mv(jacobian, offset);
    const Tensor gram = at::mm(jacobian, jacobian.t());
    const Tensor next = at::mv(jacobian.t(), at::mv(at::linalg_pinv(gram), wanted));
    run.nearest_error = ((next - offset).norm() / next.norm()).item<double>() +
                        ((targets - network.predictions(weights)).norm() / targets.norm()).item<double>();
    offset = next;
    if (run.nearest_error < 1e-12) break;
  }
  run.nearest = offset.norm().item<double>();
}

}  // namespace

Tensor TanhNetwork::predictions(const Tensor& weights) const {
  return at::mv(at::tanh(at::mm(inputs, weights.t())), output_weights) /
         std::sqrt(static_cast<double>(output_weights.size(0)));
}

Tensor TanhNetwork::jacobian(const Tensor& weights) const {
  return theory::hidden_layer_jacobian(inputs, tanh_slopes(inputs, weights), output_weights) /
         std::sqrt(static_cast<double>(output_weights.size(0)));
}

Tensor TanhNetwork::gram(const Tensor& weights) const {
  const Tensor slopes = tanh_slopes(inputs, weights) * output_weights;
  return at::mm(inputs, inputs.t()) * at::mm(slopes, slopes.t()) /
         static_cast<double>(output_weights.size(0));
}

Tensor paired_start(TanhNetwork& network, int64_t width, at::Generator& generator) {
  const Tensor half = gaussian_of({width / 2, network.inputs.size(1)}, generator);
  const Tensor ones = torch::ones({width / 2}, torch::kDouble);
  network.output_weights = torch::cat({ones, -ones});
  return torch::cat({half, half});
}

ShortPathRun run_short_path(const TanhNetwork& network, const Tensor& start, const Tensor& targets,
                            int64_t steps) {
  ShortPathRun run;
  run.n = targets.numel();
  run.width = network.output_weights.size(0);
  run.sigma_start = smallest_sigma(network.gram(start));
  const Tensor first = network.predictions(start) - targets;
  run.local = local_bounds(network, run.sigma_start, first.norm().item<double>());
  run.linear_displacement = theory::least_displacement(network.gram(start), first);
  const double scale = 1 / std::sqrt(static_cast<double>(run.width));
  Tensor weights = start;
  int64_t next = 1;
  for (int64_t t = 0; t <= steps; ++t) {
    const Tensor residual = network.predictions(weights) - targets;
    const double norm = residual.norm().item<double>();
    const bool last = t == steps || norm < 1e-10 * run.local.initial_residual;
    if (t == next || last) {
      const Tensor gram = network.gram(weights);
      const Tensor eigenvalues = at::linalg_eigvalsh(gram);
      run.local.observed_smallest = theory::least(run.local.observed_smallest, smallest_sigma(gram));
      run.local.observed_norm =
          theory::greatest(run.local.observed_norm, std::sqrt(eigenvalues[run.n - 1].item<double>()));
      run.steps.push_back(t);
      run.residuals.push_back(norm);
      run.displacements.push_back((weights - start).norm().item<double>());
      next = std::max(t + 1, t * 5 / 4);
    }
    if (last) break;
    const Tensor by_unit =
        tanh_slopes(network.inputs, weights) * network.output_weights * residual.unsqueeze(1);
    const Tensor move = (run.local.step * scale) * at::mm(by_unit.t(), network.inputs);
    run.path += move.norm().item<double>();
    weights = weights - move;
  }
  find_nearest(run, network, start, targets);
  return run;
}

HessianNorm hessian_norm(const TanhNetwork& network, const Tensor& weights, at::Generator& generator) {
  HessianNorm norm;
  norm.width = static_cast<double>(network.output_weights.size(0));
  for (int64_t i = 0; i < network.inputs.size(0); ++i) {
    const auto prediction = [&](const Tensor& w) { return network.predictions(w)[i]; };
    const SymmetricFunctionOperator hessian(weights.numel(), weights.options(), [&](const Tensor& x) {
      std::vector<Tensor> columns;
      for (int64_t c = 0; c < x.size(1); ++c)
        columns.push_back(
            autograd::functional::vhp(prediction, weights, x.select(1, c).reshape(weights.sizes()))
                .second.reshape({-1}));
      return torch::stack(columns, 1);
    });
    for (const SpectrumEnd end : {SpectrumEnd::largest, SpectrumEnd::smallest}) {
      LanczosOptions options;
      options.end = end;
      options.tolerance = 1e-3;  // of the vector; the value is much nearer
      options.multiple = false;
      options.vectors = false;
      norm.measured = theory::greatest(norm.measured, std::abs(lanczos(hessian, options, generator).value()));
    }
  }
  const Tensor values = at::tanh(at::mm(network.inputs, weights.t()));
  norm.exact = theory::hidden_layer_hessian_norm(network.inputs, -2 * values * (1 - values.square()),
                                                 network.output_weights);
  return norm;
}

GaussianConditioning gaussian_conditioning_of(int64_t n, int64_t p, int64_t draws, at::Generator& generator) {
  std::vector<double> logs;
  double mean = 0;
  for (int64_t draw = 0; draw < draws; ++draw) {
    const Tensor values = at::linalg_svdvals(gaussian_of({n, p}, generator));
    logs.push_back(2 * std::log((values[0] / values[n - 1]).item<double>()));
    mean += logs.back() / static_cast<double>(draws);
  }
  double squares = 0;
  for (const double value : logs) squares += (value - mean) * (value - mean);
  const auto count = static_cast<double>(draws);
  return {n, p, {mean, 1.96 * std::sqrt(squares / (count * (count - 1))), ""}};
}

}  // namespace plumb
