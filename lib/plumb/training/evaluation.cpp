#include "plumb/training/evaluation.hpp"

#include <torch/torch.h>

namespace plumb {
namespace {

struct Found {
  double loss_sum = 0;
  Tensor hits;        // (n) bool: right by the targets; undefined where accuracy is
  Tensor clean_hits;  // (n) bool: right by the clean targets, where those were given
};

/// `clean`: targets before randomization; undefined: they are the same.
Found examine(Network& network, const Examples& examples, const Tensor& clean, const TrainingData& data,
              const Loss& loss, Decision decision, int64_t chunk) {
  std::vector<Tensor> hits, clean_hits;
  Tensor total = at::zeros({}, examples.targets.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < examples.size(); begin += chunk) {
    const int64_t end = std::min(begin + chunk, examples.size());
    const Tensor outputs = network.forward(data.evaluation_inputs(examples.inputs.slice(0, begin, end)));
    const Tensor targets = examples.targets.slice(0, begin, end);
    total += loss.sum(outputs, targets).to(at::kDouble);
    if (decision == Decision::none) continue;
    hits.push_back(correct(decision, outputs, targets));
    if (clean.defined()) clean_hits.push_back(correct(decision, outputs, clean.slice(0, begin, end)));
  }
  Found found{total.item<double>(), {}, {}};
  if (!hits.empty()) found.hits = at::cat(hits);
  if (!clean_hits.empty()) found.clean_hits = at::cat(clean_hits);
  return found;
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
  const Decision decision = decision_for(data.train.targets);
  const Found train = examine(network, data.train, data.clean_targets, data, loss, decision, chunk);
  fit.train_loss = train.loss_sum * loss.scale(data.train.size());
  if (train.hits.defined()) {
    const Tensor changed = targets_differ(data.train.targets, data.clean_targets);
    fit.train_accuracy = mean_over(train.hits, at::ones_like(changed));
    fit.clean_accuracy = mean_over(train.hits, changed.logical_not());
    fit.memorization = mean_over(train.hits, changed);
    fit.recovery = mean_over(train.clean_hits, changed);
  }
  if (data.test.size() > 0) {
    const Found test = examine(network, data.test, {}, data, loss, decision, chunk);
    fit.test_loss = test.loss_sum * loss.scale(data.test.size());
    if (test.hits.defined()) fit.test_accuracy = mean_over(test.hits, at::ones_like(test.hits));
  }
  network.train(was_training);
  return fit;
}

}  // namespace plumb
