#include "plumb/training/ensemble.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"
#include "plumb/training/batched_product.hpp"
#include "plumb/training/sampler.hpp"

namespace plumb {
namespace {

using Members = std::vector<EnsembleMember>;

/// below * sigma'(before), where after = sigma(before).
Tensor through_activation(const Tensor& below, const Tensor& before, const Tensor& after,
                          const EnsembleOptions& options) {
  switch (options.activation) {
    case Activation::linear:
      return below;
    case Activation::relu:
      return at::threshold_backward(below, before, 0);
    case Activation::leaky_relu:
      return at::leaky_relu_backward(below, before, options.negative_slope, false);
    case Activation::tanh:
      return at::tanh_backward(below, after);
    case Activation::gelu:
      return at::gelu_backward(below, before);
    case Activation::softplus:
      return at::softplus_backward(below, before, 1, 20);
    case Activation::erf:
      return below * at::exp(-before.square()) * (2 / std::sqrt(M_PI));
  }
  return below;
}

/// l of each member, summed over its examples: (e) of outputs and targets (e, n, c).
Tensor summed_losses(const Tensor& outputs, const Tensor& targets, const EnsembleOptions& options) {
  switch (options.loss) {
    case EnsembleLoss::square:
      return (outputs - targets).square_().sum({1, 2}).mul_(options.factor);
    case EnsembleLoss::logistic:
      return at::log_sigmoid(outputs * targets).sum({1, 2}).neg_();
    case EnsembleLoss::softmax:
      return (at::log_softmax(outputs, 2) * targets).sum({1, 2}).neg_();
  }
  return {};
}

/// The derivative of the above with respect to the outputs.
Tensor output_gradient(const Tensor& outputs, const Tensor& targets, const EnsembleOptions& options) {
  switch (options.loss) {
    case EnsembleLoss::square:
      return (outputs - targets).mul_(2 * options.factor);
    case EnsembleLoss::logistic:
      return at::sigmoid(-(outputs * targets)).mul_(targets).neg_();
    case EnsembleLoss::softmax:
      return at::softmax(outputs, 2).mul_(targets.sum(2, true)).sub_(targets);
  }
  return {};
}

/// (e): the fraction of the examples that are right.
Tensor accuracies(const Tensor& outputs, const Tensor& targets) {
  const Tensor right =
      outputs.size(2) == 1 ? (outputs * targets).gt(0).squeeze(2) : outputs.argmax(2).eq(targets.argmax(2));
  return right.to(at::kDouble).mean(1);
}

/// Values of the layers for one batch; hidden[0] is the input of the first. `before` is empty for ReLU, whose
/// derivative is known from its value.
struct ForwardPass {
  std::vector<Tensor> before, hidden;
  Tensor outputs;
};

/// Members that are advanced together.
class EnsembleBlock {
 public:
  EnsembleBlock(const Members& members, std::vector<size_t> who, const EnsembleOptions& options);
  void train(std::vector<MemberOutcome>& outcomes);

 private:
  Tensor stacked_weights(const Members& members, size_t layer) const;
  Tensor activated(const Tensor& before, size_t layer) const;
  ForwardPass forward(const Tensor& inputs) const;
  Tensor passed_down(ForwardPass& pass, size_t i, const Tensor& delta) const;
  void update(ForwardPass& pass, const Tensor& targets);
  void update_on_next_batches();
  bool judge(const ForwardPass& pass, int64_t step, std::vector<MemberOutcome>& outcomes);
  void record(size_t position, MemberEnd end, int64_t step, double loss,
              std::vector<MemberOutcome>& outcomes) const;
  void drop_ended();

  EnsembleOptions options_;
  std::vector<size_t> who_;                                // the members' numbers in the ensemble
  std::vector<std::vector<std::vector<int64_t>>> shapes_;  // of their weights, (in, out)
  std::vector<bool> ended_;
  std::vector<double> initial_;
  std::vector<Sampler> samplers_;
  std::vector<bool> trained_;
  std::vector<Tensor> frozen_;   // (e, in, out): layers in front that do not move, applied once
  std::vector<Tensor> weights_;  // (e, in, out): the rest
  Tensor inputs_, targets_;      // (e, n, .)
  Tensor scales_, rates_;        // (e, 1, 1)
};

EnsembleBlock::EnsembleBlock(const Members& members, std::vector<size_t> who, const EnsembleOptions& options)
    : options_(options),
      who_(std::move(who)),
      ended_(who_.size(), false),
      initial_(who_.size(), 0),
      trained_(options.trained) {
  const Tensor& sample = members[who_[0]].inputs;
  std::vector<Tensor> inputs, targets;
  std::vector<double> scales, rates;
  for (const size_t i : who_) {
    const EnsembleMember& member = members[i];
    inputs.push_back(member.inputs);
    targets.push_back(member.targets);
    scales.push_back(member.scale);
    rates.push_back(member.learning_rate);
    auto& shapes = shapes_.emplace_back();
    for (const Tensor& weight : member.weights) shapes.push_back({weight.size(1), weight.size(0)});
    if (options.batch_size)
      samplers_.emplace_back(sample.size(0), *options.batch_size, Seed(member.seed).stream("batches"),
                             sample.device());
  }
  inputs_ = at::stack(inputs);
  targets_ = at::stack(targets);
  const auto column = [&](const std::vector<double>& values) {
    return torch::tensor(values, at::kDouble).to(sample.options()).view({-1, 1, 1});
  };
  scales_ = column(scales);
  rates_ = column(rates);
  if (trained_.empty()) trained_.assign(members[who_[0]].weights.size(), true);
  size_t layer = 0;
  for (; !trained_[layer]; ++layer) {
    frozen_.push_back(stacked_weights(members, layer));
    inputs_ = activated(batched_product(inputs_, frozen_.back()), layer);
  }
  for (; layer < trained_.size(); ++layer) weights_.push_back(stacked_weights(members, layer));
}

Tensor EnsembleBlock::stacked_weights(const Members& members, size_t layer) const {
  int64_t in = 0, out = 0;
  for (const auto& shapes : shapes_) {
    in = std::max(in, shapes[layer][0]);
    out = std::max(out, shapes[layer][1]);
  }
  Tensor stacked = at::zeros({static_cast<int64_t>(who_.size()), in, out}, inputs_.options());
  for (size_t e = 0; e < who_.size(); ++e) {
    const Tensor& weight = members[who_[e]].weights[layer];
    stacked[static_cast<int64_t>(e)]
        .slice(0, 0, weight.size(1))
        .slice(1, 0, weight.size(0))
        .copy_(weight.t());
  }
  return stacked;
}

/// sigma of layer `layer`, counted with the frozen ones; units that pad stay 0.
Tensor EnsembleBlock::activated(const Tensor& before, size_t layer) const {
  Tensor after = activate(before, options_.activation, options_.negative_slope);
  // Every other sigma is 0 at 0, where units without weights are.
  if (options_.activation != Activation::softplus) return after;
  for (size_t e = 0; e < who_.size(); ++e)
    after[static_cast<int64_t>(e)].slice(1, shapes_[e][layer][1], after.size(2)).zero_();
  return after;
}

ForwardPass EnsembleBlock::forward(const Tensor& inputs) const {
  ForwardPass pass;
  pass.hidden.push_back(inputs);
  for (size_t i = 0; i + 1 < weights_.size(); ++i) {
    if (options_.activation == Activation::relu) {
      pass.hidden.push_back(batched_product_relu(pass.hidden.back(), weights_[i]));
      continue;
    }
    pass.before.push_back(batched_product(pass.hidden.back(), weights_[i]));
    pass.hidden.push_back(activated(pass.before.back(), frozen_.size() + i));
  }
  pass.outputs = batched_product(pass.hidden.back(), weights_.back()).mul_(scales_);
  return pass;
}

/// dL/d(before) of the layer below layer i, from `delta`, that of its own. Hidden values of ReLU are used up.
Tensor EnsembleBlock::passed_down(ForwardPass& pass, size_t i, const Tensor& delta) const {
  const Tensor weights = weights_[i].transpose(1, 2);
  if (options_.activation != Activation::relu)
    return through_activation(batched_product(delta, weights), pass.before[i - 1], pass.hidden[i], options_);
  batched_product_through_gates(delta, weights, pass.hidden[i]);
  return pass.hidden[i];
}

void EnsembleBlock::update(ForwardPass& pass, const Tensor& targets) {
  Tensor delta = output_gradient(pass.outputs, targets, options_).mul_(scales_);
  if (options_.reduction == Reduction::mean) delta.div_(static_cast<double>(targets.size(1)));
  for (size_t i = weights_.size(); i-- > 0;) {
    const bool trained = trained_[frozen_.size() + i];
    Tensor gradient;
    if (trained) gradient = batched_product(pass.hidden[i].transpose(1, 2), delta);
    if (i > 0) delta = passed_down(pass, i, delta);
    if (!trained) continue;
    if (options_.weight_decay != 0) gradient.add_(weights_[i], options_.weight_decay);
    weights_[i].addcmul_(gradient, rates_, -1);
  }
}

void EnsembleBlock::update_on_next_batches() {
  std::vector<Tensor> orders;
  for (Sampler& sampler : samplers_) orders.push_back(sampler.next());
  const Tensor order = at::stack(orders).unsqueeze(2);
  const auto batch_of = [&](const Tensor& all) { return all.gather(1, order.expand({-1, -1, all.size(2)})); };
  ForwardPass pass = forward(batch_of(inputs_));
  update(pass, batch_of(targets_));
}

void EnsembleBlock::record(size_t position, MemberEnd end, int64_t step, double loss,
                           std::vector<MemberOutcome>& outcomes) const {
  MemberOutcome& outcome = outcomes[who_[position]];
  outcome.end = end;
  outcome.steps = step;
  outcome.initial_loss = initial_[position];
  outcome.final_loss = loss;
  for (size_t layer = 0; layer < trained_.size(); ++layer) {
    const Tensor& all = layer < frozen_.size() ? frozen_[layer] : weights_[layer - frozen_.size()];
    const auto& shape = shapes_[position][layer];
    outcome.weights.push_back(all[static_cast<int64_t>(position)]
                                  .slice(0, 0, shape[0])
                                  .slice(1, 0, shape[1])
                                  .t()
                                  .clone(at::MemoryFormat::Contiguous));
  }
}

/// Records the members that end at this step; true when some did.
bool EnsembleBlock::judge(const ForwardPass& pass, int64_t step, std::vector<MemberOutcome>& outcomes) {
  const double weight =
      options_.reduction == Reduction::mean ? 1 / static_cast<double>(targets_.size(1)) : 1.0;
  const Tensor losses = summed_losses(pass.outputs, targets_, options_).to(at::kCPU, at::kDouble) * weight;
  const Tensor right =
      options_.accuracy ? accuracies(pass.outputs, targets_).to(at::kCPU) : at::zeros_like(losses);
  bool some = false;
  for (size_t e = 0; e < who_.size(); ++e) {
    if (ended_[e]) continue;
    const double loss = losses.data_ptr<double>()[e];
    if (step == 0) initial_[e] = loss;
    const bool converged = (options_.relative_loss > 0 && loss <= options_.relative_loss * initial_[e]) ||
                           (options_.accuracy && right.data_ptr<double>()[e] >= *options_.accuracy);
    const bool diverged = !std::isfinite(loss) || loss > options_.divergence * initial_[e];
    if (!converged && !diverged && step < options_.max_steps) continue;
    record(e,
           converged  ? MemberEnd::converged
           : diverged ? MemberEnd::diverged
                      : MemberEnd::step_limit,
           step, loss, outcomes);
    ended_[e] = some = true;
  }
  return some;
}

void EnsembleBlock::drop_ended() {
  std::vector<int64_t> left;
  for (size_t e = 0; e < who_.size(); ++e)
    if (!ended_[e]) left.push_back(static_cast<int64_t>(e));
  const Tensor kept = torch::tensor(left, at::kLong).to(inputs_.device());
  const auto keep_tensors = [&](std::vector<Tensor>& tensors) {
    for (Tensor& tensor : tensors) tensor = tensor.index_select(0, kept);
  };
  keep_tensors(frozen_);
  keep_tensors(weights_);
  for (Tensor* tensor : {&inputs_, &targets_, &scales_, &rates_}) *tensor = tensor->index_select(0, kept);
  const auto keep = [&](auto& values) {
    for (size_t i = 0; i < left.size(); ++i) values[i] = values[static_cast<size_t>(left[i])];
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(left.size()), values.end());
  };
  keep(who_);
  keep(shapes_);
  keep(initial_);
  if (!samplers_.empty()) keep(samplers_);
  ended_.assign(left.size(), false);
}

void EnsembleBlock::train(std::vector<MemberOutcome>& outcomes) {
  for (int64_t step = 0; step <= options_.max_steps; ++step) {
    const bool look = step % options_.evaluate_every == 0 || step == options_.max_steps;
    ForwardPass pass;
    if (look || !options_.batch_size) pass = forward(inputs_);
    if (look && judge(pass, step, outcomes)) {
      const auto ended = static_cast<size_t>(std::count(ended_.begin(), ended_.end(), true));
      if (ended == who_.size()) return;
      // Dropping copies the batch; until a fifth has ended the others carry them along.
      if (5 * ended >= who_.size()) {
        drop_ended();
        if (!options_.batch_size) pass = forward(inputs_);
      }
    }
    if (options_.batch_size)
      update_on_next_batches();
    else
      update(pass, targets_);
  }
}

void check_members(const Members& members, const EnsembleOptions& options) {
  expects(options.max_steps >= 0 && options.evaluate_every > 0, "an ensemble needs a number of steps");
  const EnsembleMember& first = members[0];
  const size_t layers = first.weights.size();
  expects(layers >= 2, "members of an ensemble have at least two layers; found {}", layers);
  expects(options.trained.empty() ||
              (options.trained.size() == layers &&
               std::find(options.trained.begin(), options.trained.end(), true) != options.trained.end()),
          "one of {} layers must be trained, and each must be told", layers);
  for (size_t i = 0; i < members.size(); ++i) {
    const EnsembleMember& member = members[i];
    expects(member.inputs.dim() == 2 && member.inputs.sizes() == first.inputs.sizes() &&
                member.targets.sizes() == first.targets.sizes() && member.targets.dim() == 2 &&
                member.targets.size(0) == member.inputs.size(0) && member.weights.size() == layers,
            "member {}: inputs, targets and depth must be those of the others", i);
    int64_t size = member.inputs.size(1);
    for (const Tensor& weight : member.weights) {
      expects(
          weight.dim() == 2 && weight.size(1) == size && weight.options().type_equal(first.inputs.options()),
          "member {}: a weight must be (out, {}) of the inputs' type", i, size);
      size = weight.size(0);
    }
    expects(size == member.targets.size(1), "member {}: {} outputs for {} targets", i, size,
            member.targets.size(1));
  }
}

/// What one member keeps in the cache: inputs and three values of each hidden unit per example.
int64_t bytes_of(const EnsembleMember& member) {
  int64_t values = member.inputs.size(1);
  for (const Tensor& weight : member.weights) values += 3 * weight.size(0);
  return member.inputs.size(0) * values * static_cast<int64_t>(member.inputs.element_size());
}

}  // namespace

std::vector<MemberOutcome> train_ensemble(const Members& members, const EnsembleOptions& options) {
  if (members.empty()) return {};
  check_members(members, options);
  const at::NoGradGuard no_grad;
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto width = [&](size_t i) { return members[i].weights[0].size(0); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return width(a) > width(b); });
  std::vector<MemberOutcome> outcomes(members.size());
  constexpr int64_t cache = 1 << 20;
  for (size_t begin = 0; begin < order.size();) {
    const int64_t fit = cache / bytes_of(members[order[begin]]);
    const auto count =
        static_cast<size_t>(options.members_at_once.value_or(std::clamp<int64_t>(fit, 16, 256)));
    const size_t end = std::min(begin + std::max<size_t>(count, 1), order.size());
    EnsembleBlock(members,
                  {order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(end)},
                  options)
        .train(outcomes);
    begin = end;
  }
  return outcomes;
}

}  // namespace plumb
