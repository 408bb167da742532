#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/torch.h>

#include "plumb/lecture/first_layer.hpp"
#include "plumb/lecture/wide_networks.hpp"
#include "plumb/theory/infinite_width.hpp"
#include "plumb/theory/kernel_dynamics.hpp"

namespace plumb {
namespace {

bool is_recorded(int64_t step, int64_t last) { return step == last || (step & (step - 1)) == 0; }

/// One run while it goes on.
class WideDescent {
 public:
  WideDescent(const SphereProblem& problem, int64_t width, at::Generator& generator)
      : targets_(problem.targets),
        first_weights_(at::randn({width, problem.inputs.size(1)}, generator, at::TensorOptions(at::kDouble))),
        layer_(problem.inputs, at::randint(0, 2, {width}, generator, at::TensorOptions(at::kDouble)) * 2 - 1,
               Activation::relu),
        weights_(first_weights_.clone()),
        start_(layer_.at(weights_)),
        first_kernel_(layer_.kernel(start_.slopes)) {}

  Tensor first_residual() const { return targets_ - start_.outputs; }
  const Tensor& first_kernel() const { return first_kernel_; }

  void go(double step, int64_t steps, WideRun& run) {
    for (int64_t k = 0; k <= steps; ++k) {
      const FirstLayer::Point point = layer_.at(weights_);
      const Tensor residual = targets_ - point.outputs;
      run.squared_residuals.push_back(residual.square().sum().item<double>());
      const Tensor descent = layer_.apply_transposed(point.slopes, residual);
      if (is_recorded(k, steps)) record(k, point, descent, run);
      if (k < steps) weights_.add_(descent, step);
    }
    finish(run);
  }

 private:
  void record(int64_t k, const FirstLayer::Point& point, const Tensor& descent, WideRun& run) const {
    const Tensor kernel = layer_.kernel(point.slopes);
    run.recorded.push_back(k);
    run.lambda_min.push_back(at::linalg_eigvalsh(kernel)[0].item<double>());
    run.drift.push_back((kernel - first_kernel_).norm().item<double>());
    run.moved.push_back((weights_ - first_weights_).norm(2, 1).max().item<double>());
    run.pl_ratios.push_back(2 * descent.square().sum().item<double>() / run.squared_residuals.back());
  }

  void finish(WideRun& run) const {
    const Tensor slopes = layer_.at(weights_).slopes;
    run.flips = (slopes - start_.slopes).abs().mean().item<double>();
    // W(0) to W(last) is judged, so that the radius is what lies between these two.
    const double radius = run.moved.back();
    run.flip_bound = theory::sign_flips(first_weights_, layer_.inputs(), radius, radius);
    run.distance = (weights_ - first_weights_).norm().item<double>();
  }

  Tensor targets_;
  Tensor first_weights_;
  FirstLayer layer_;
  Tensor weights_;
  FirstLayer::Point start_;
  Tensor first_kernel_;
};

}  // namespace

SphereProblem draw_sphere_problem(int64_t examples, int64_t dimension, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  const Tensor directions = at::randn({examples, dimension}, generator, doubles);
  return {directions / directions.norm(2, 1, true), at::randn({examples}, generator, doubles)};
}

WideRun descend_wide_network(const SphereProblem& problem, int64_t width, double relative_step, int64_t steps,
                             double delta, at::Generator& generator) {
  WideRun run;
  run.setting = theory::wide_setting(problem.inputs, problem.targets);
  WideDescent descent(problem, width, generator);
  const Tensor residual = descent.first_residual();
  const Tensor limit = theory::first_layer_kernel({theory::Nonlinearity::Kind::relu}, problem.inputs);
  const theory::KernelDynamics linear(limit, torch::zeros_like(residual), residual);
  run.setting.width = width;
  run.setting.step = relative_step / linear.lambda_max();
  run.setting.delta = delta;
  // The theorem leaves C open; the smallest one that does is the most favourable.
  run.setting.target_bound = run.setting.largest_target;
  run.setting.initial_residual = residual.norm().item<double>();
  run.limit_distance = (descent.first_kernel() - limit).norm().item<double>();
  run.kernel_distance = linear.flow_distance(std::numeric_limits<double>::infinity());
  for (int64_t k = 0; k <= steps; ++k)
    run.limit_path.push_back(linear.descent_residual(run.setting.step, k).square().sum().item<double>());
  descent.go(run.setting.step, steps, run);
  return run;
}

}  // namespace plumb
