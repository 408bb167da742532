#include "plumb/training/evaluation.hpp"

#include <torch/torch.h>

namespace plumb {
namespace {

struct Outputs {
  double loss_sum = 0;
  Tensor predictions;  // (n) int64
};

Outputs predict(Network& network, const Examples& examples, const TrainingData& data, const Loss& loss,
                int64_t chunk) {
  std::vector<Tensor> predictions;
  Tensor total = at::zeros({}, examples.labels.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < examples.size(); begin += chunk) {
    const int64_t end = std::min(begin + chunk, examples.size());
    const Tensor stored = examples.inputs.slice(0, begin, end);
    const Tensor outputs = network.forward(data.evaluation_inputs(stored));
    total += loss.sum(outputs, examples.labels.slice(0, begin, end)).to(at::kDouble);
    predictions.push_back(outputs.argmax(1));
  }
  return {total.item<double>(), at::cat(predictions)};
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
  const Tensor all = at::ones_like(data.train.labels, at::kBool);
  const Tensor changed = data.train.labels.ne(data.clean_labels);
  const Tensor hits = train.predictions.eq(data.train.labels);
  fit.train_loss = train.loss_sum * loss.scale(data.train.size());
  fit.train_accuracy = mean_over(hits, all);
  fit.clean_accuracy = mean_over(hits, changed.logical_not());
  fit.memorization = mean_over(hits, changed);
  fit.recovery = mean_over(train.predictions.eq(data.clean_labels), changed);
  if (data.test.size() > 0) {
    const Outputs test = predict(network, data.test, data, loss, chunk);
    fit.test_loss = test.loss_sum * loss.scale(data.test.size());
    fit.test_accuracy =
        mean_over(test.predictions.eq(data.test.labels), at::ones_like(data.test.labels, at::kBool));
  }
  network.train(was_training);
  return fit;
}

}  // namespace plumb
