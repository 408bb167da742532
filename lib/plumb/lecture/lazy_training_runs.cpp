#include <cmath>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/lecture/first_layer.hpp"
#include "plumb/lecture/lazy_training.hpp"
#include "plumb/theory/kernel_dynamics.hpp"

namespace plumb {
namespace {

double norm_of(const Tensor& tensor) { return tensor.norm().item<double>(); }

struct LazyWeights {
  Tensor first;   // (m, d)
  Tensor output;  // (m)
};

LazyWeights draw_lazy_weights(const LazySetting& setting, int64_t dimension, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  const bool mirrored = setting.start == LazyStart::mirrored;
  expects(!mirrored || setting.width % 2 == 0, "lazy training: width {}; mirrored units need an even one",
          setting.width);
  const int64_t drawn = mirrored ? setting.width / 2 : setting.width;
  const Tensor first = at::randn({drawn, dimension}, generator, doubles);
  const Tensor output = at::randint(0, 2, {drawn}, generator, doubles) * 2 - 1;
  if (!mirrored) return {first, output};
  return {at::cat({first, first}), at::cat({output, -output})};
}

/// The network and its linearized model side by side.
class LazyPair {
 public:
  LazyPair(const LazySetting& setting, const Tensor& inputs, const Tensor& targets, LazyWeights drawn)
      : setting_(setting),
        targets_(targets),
        layer_(inputs, drawn.output, setting.activation),
        first_weights_(drawn.first),
        weights_(drawn.first.clone()),
        moved_(at::zeros_like(drawn.first)),
        start_(layer_.at(drawn.first)),
        kernel_(layer_.kernel(start_.slopes)) {
    offset_ = setting.start == LazyStart::centred ? start_.outputs : at::zeros_like(start_.outputs);
  }

  /// y - alpha h.
  Tensor residual(const Tensor& outputs) const { return targets_ - setting_.alpha * (outputs - offset_); }
  Tensor first_residual() const { return residual(start_.outputs); }
  const Tensor& kernel() const { return kernel_; }

  void train(const theory::KernelDynamics& dynamics, LazyRun& run) {
    const double scale = norm_of(first_residual());
    const double rate = run.gamma / setting_.alpha;
    Tensor expected;  // what the kernel of the step before makes of its residual
    for (int64_t k = 0; k <= setting_.steps; ++k) {
      const FirstLayer::Point point = layer_.at(weights_);
      const Tensor network = residual(point.outputs);
      const Tensor linear = residual(start_.outputs + layer_.apply(start_.slopes, moved_));
      run.network.push_back(norm_of(network));
      run.linearized.push_back(norm_of(linear));
      const auto raise = [&](double& largest, const Tensor& difference) {
        largest = theory::greatest(largest, norm_of(difference) / scale);
      };
      raise(run.linear_gap, linear - dynamics.descent_residual(run.gamma, k));
      raise(run.linearization, network - linear);
      if (k > 0) run.one_step_gap += norm_of(network - expected) / scale;
      if (k == setting_.steps || (k & (k - 1)) == 0) watch_kernel(point.slopes, run);
      const Tensor descent = layer_.apply_transposed(point.slopes, network);
      expected = network - run.gamma * layer_.apply(point.slopes, descent);
      weights_.add_(descent, rate);
      moved_.add_(layer_.apply_transposed(start_.slopes, linear), rate);
      if (k == setting_.steps - 1)
        run.movement = norm_of(weights_ - first_weights_) / norm_of(first_weights_);
    }
  }

 private:
  void watch_kernel(const Tensor& slopes, LazyRun& run) const {
    const Tensor kernel = layer_.kernel(slopes);
    const double change = at::linalg_eigvalsh(kernel - kernel_).abs().max().item<double>();
    const double low = at::linalg_eigvalsh(kernel)[0].item<double>();
    run.drift = theory::greatest(run.drift, change / run.lambda_max);
    run.lowest = theory::least(run.lowest, low / run.lambda_min);
  }

  LazySetting setting_;
  Tensor targets_;
  FirstLayer layer_;
  Tensor first_weights_;
  Tensor weights_;
  Tensor moved_;  // of the linearized model: w - w_0
  FirstLayer::Point start_;
  Tensor kernel_;
  Tensor offset_;
};

}  // namespace

LazyRun train_lazily(const LazySetting& setting, const Tensor& inputs, const Tensor& targets,
                     at::Generator& generator) {
  LazyPair pair(setting, inputs, targets, draw_lazy_weights(setting, inputs.size(1), generator));
  const Tensor residual = pair.first_residual();
  const theory::KernelDynamics dynamics(pair.kernel(), torch::zeros_like(residual), residual);
  LazyRun run;
  run.setting = setting;
  run.lambda_min = dynamics.lambda_min();
  run.lambda_max = dynamics.lambda_max();
  run.gamma = setting.relative_step / run.lambda_max;
  run.lowest = 1;
  std::vector<int64_t> steps;
  for (int64_t k = 0; k <= setting.steps; ++k) steps.push_back(k);
  run.constant = theory::linearized_residual(dynamics, run.gamma, steps, 1e-9);
  run.contraction =
      theory::residual_contraction(run.lambda_min, run.lambda_max, norm_of(residual), run.gamma, steps);
  pair.train(dynamics, run);
  return run;
}

}  // namespace plumb
