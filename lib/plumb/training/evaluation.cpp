#include "plumb/training/evaluation.hpp"

#include <torch/torch.h>

namespace plumb {
namespace {

struct Outputs {
  double loss_sum = 0;
  Tensor values;  // (n, c)
};

Outputs predict(Network& network, const Examples& examples, const TrainingData& data, const Loss& loss,
                int64_t chunk) {
  std::vector<Tensor> values;
  Tensor total = at::zeros({}, examples.targets.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < examples.size(); begin += chunk) {
    const int64_t end = std::min(begin + chunk, examples.size());
    const Tensor stored = examples.inputs.slice(0, begin, end);
    const Tensor outputs = network.forward(data.evaluation_inputs(stored));
    total += loss.sum(outputs, examples.targets.slice(0, begin, end)).to(at::kDouble);
    values.push_back(outputs);
  }
  return {total.item<double>(), at::cat(values)};
}

/// Mean of `hits` over the examples in `mask`; NaN when there are none.
double mean_over(const Tensor& hits, const Tensor& mask) {
  const int64_t count = mask.sum().item<int64_t>();
  if (count == 0) return not_defined;
  return static_cast<double>(hits.logical_and(mask).sum().item<int64_t>()) / static_cast<double>(count);
}

Tensor laid_out(const Tensor& inputs, bool channels_last) {
  return channels_last && inputs.dim() == 4 ? inputs.contiguous(at::MemoryFormat::ChannelsLast) : inputs;
}

}  // namespace

Tensor TrainingData::evaluation_inputs(const Tensor& stored) const {
  return laid_out(prepare ? prepare(stored) : stored, channels_last);
}

Tensor TrainingData::training_inputs(const Tensor& stored, at::Generator& generator) const {
  return augment ? laid_out(augment(stored, generator), channels_last) : evaluation_inputs(stored);
}

Fit evaluate(Network& network, const TrainingData& data, const Loss& loss, int64_t chunk) {
  const at::NoGradGuard no_grad;
  const bool was_training = network.is_training();
  network.eval();
  Fit fit;
  const Outputs train = predict(network, data.train, data, loss, chunk);
  fit.train_loss = train.loss_sum * loss.scale(data.train.size());
  const Decision decision = decision_for(data.train.targets);
  if (decision != Decision::none) {
    const Tensor hits = correct(decision, train.values, data.train.targets);
    const Tensor changed = targets_differ(data.train.targets, data.clean_targets);
    fit.train_accuracy = mean_over(hits, at::ones_like(changed));
    fit.clean_accuracy = mean_over(hits, changed.logical_not());
    fit.memorization = mean_over(hits, changed);
    fit.recovery = mean_over(correct(decision, train.values, data.clean_targets), changed);
  }
  if (data.test.size() > 0) {
    const Outputs test = predict(network, data.test, data, loss, chunk);
    fit.test_loss = test.loss_sum * loss.scale(data.test.size());
    if (decision != Decision::none) {
      const Tensor hits = correct(decision, test.values, data.test.targets);
      fit.test_accuracy = mean_over(hits, at::ones_like(hits));
    }
  }
  network.train(was_training);
  return fit;
}

}  // namespace plumb
