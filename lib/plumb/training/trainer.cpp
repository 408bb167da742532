#include "plumb/training/trainer.hpp"

#include <chrono>
#include <cmath>

#include <torch/torch.h>

#include "plumb/core/compat.hpp"
#include "plumb/core/mended_operators.hpp"
#include "plumb/models/parameters.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What the optimizer moves.
std::vector<Tensor> parameters_to_train(const torch::nn::Module& module) {
  const std::vector<NamedParameter> parameters = named_trainable_parameters(module);
  expects(!parameters.empty(), "the network has no trainable parameters");
  check_can_be_trained(parameters);
  std::vector<Tensor> values;
  values.reserve(parameters.size());
  for (const NamedParameter& parameter : parameters) values.push_back(parameter.value);
  return values;
}

int64_t batch_size(const TrainingOptions& options, const Optimizer& optimizer, int64_t examples) {
  return optimizer.full_batch() ? examples : std::min(options.batch_size, examples);
}

double max_epochs(const StopOptions& stop, int64_t steps_per_epoch) {
  double epochs = stop.epochs.value_or(0);
  if (stop.steps) {
    const double by_steps = static_cast<double>(*stop.steps) / static_cast<double>(steps_per_epoch);
    epochs = epochs > 0 ? std::min(epochs, by_steps) : by_steps;
  }
  return epochs;
}

}  // namespace

void TrainingOptions::fields(Fields& f) {
  f.component("loss", loss, "what is minimized");
  f.component("optimizer", optimizer, "how the parameters move");
  f.component("schedule", schedule, "the learning rate over epochs");
  f.field("warmup_epochs", warmup_epochs, "epochs in which the learning rate grows from 0", non_negative);
  f.field(
      "batch_size", batch_size,
      "examples per update; the last batch of an epoch holds what is left; ignored by gd, which takes all",
      positive);
  f.field("micro_batch", micro_batch,
          "examples per backward pass; the gradients of a batch are added up; none: the whole batch",
          positive);
  f.field("autocast", autocast, "lower precision of matrix products on CUDA", {"none", "bfloat16"});
  f.section("stop", stop, "when the run ends");
  f.field("evaluate_every", evaluate_every, "epochs between exact evaluations on training and test set",
          positive);
  f.field("evaluation_batch", evaluation_batch, "examples per forward pass in an evaluation", positive);
  f.field("record_every", record_every, "updates between rows of batch loss and accuracy", positive);
}

Trainer::Trainer(std::shared_ptr<Network> network, TrainingData data, TrainingOptions options,
                 const Seed& seed)
    : network_(std::move(network)),
      data_(std::move(data)),
      options_(std::move(options)),
      loss_(options_.loss.make()),
      optimizer_(options_.optimizer.make(parameters_to_train(*network_))),
      sampler_(data_.train.size(), plumb::batch_size(options_, *optimizer_, data_.train.size()),
               seed.stream("batches"), data_.train.inputs.device()),
      schedule_(options_.schedule.make(max_epochs(options_.stop, sampler_.steps_per_epoch()))),
      augmentation_(seed.stream("augmentation")),
      device_(data_.train.inputs.device()),
      full_batch_(optimizer_->full_batch()),
      decision_(decision_for(data_.train.targets)) {
  mend_operators();
  if (options_.autocast != Autocast::none && !device_.is_cuda())
    throw ConfigError("training.autocast: needs a CUDA device; the run is on the CPU");
  if (!options_.stop.epochs && !options_.stop.steps && !options_.stop.seconds)
    throw ConfigError("training.stop: no limit is set; give epochs, steps or seconds");
  const TargetKind kind = target_kind(data_.train.targets);
  if (!loss_.takes(kind))
    throw ConfigError(fmt::format("training.loss: {} takes {}; the targets are {}", options_.loss.type(),
                                  kind == TargetKind::real ? "classes" : "real numbers",
                                  kind == TargetKind::real ? "real numbers" : "classes"));
  if (options_.stop.train_accuracy && decision_ == Decision::none)
    throw ConfigError(
        "training.stop.train_accuracy: the targets are real numbers, of which there is no accuracy; set "
        "train_loss");
}

std::vector<std::string> Trainer::notes() const {
  const int64_t examples = data_.train.size();
  if (full_batch_ || options_.batch_size <= examples) return {};
  return {fmt::format(
      "training.batch_size: {} is more than the {} training examples; every update takes all of them",
      options_.batch_size, examples)};
}

Outcome Trainer::run(TrainingObserver& observer) {
  clock_ = now();
  network_->train();
  const Outcome outcome = train(observer);
  if (outcome == Outcome::interrupted) return outcome;
  switch_clock(training_seconds_);
  observer.after_last_step(moment());
  switch_clock(measuring_seconds_);
  return outcome;
}

Outcome Trainer::train(TrainingObserver& observer) {
  for (bool moved = false;; moved = true) {
    if (const auto outcome = end_here(observer)) return *outcome;
    if (moved && !observer.after_step(*this)) return Outcome::interrupted;
    Moment state = moment();
    const double rate = learning_rate();
    const Tensor indices = sampler_.next();
    const Update coming{indices, rate, options_};
    state.update = &coming;
    switch_clock(training_seconds_);
    observer.before_step(state);
    switch_clock(measuring_seconds_);
    if (step_ % sampler_.steps_per_epoch() == 0) epoch_ = {};
    update(indices, rate);
    ++step_;
    switch_clock(training_seconds_);
    const bool record = step_ % options_.record_every == 0;
    // Reading the loss makes a GPU wait, so there it is looked at only when it is recorded anyway.
    const bool diverged = (record || !device_.is_cuda()) && diverged_now();
    if (record || diverged) observer.interval(take(interval_));
    if (diverged) return Outcome::diverged;
  }
}

std::optional<Outcome> Trainer::end_here(TrainingObserver& observer) {
  const std::optional<Outcome> limit = limit_reached();
  const bool done = evaluated_at_ == epoch();
  const bool due = !done && evaluation_due();
  const bool for_the_end = limit && !done && !due;
  if (for_the_end) observer.before_end(*this);
  if (due || for_the_end) evaluate_now(observer);
  if (evaluated_at_ == epoch() && evaluated_ && !std::isfinite(evaluated_->train_loss))
    return Outcome::diverged;
  std::optional<Outcome> outcome = target_reached();
  if (!outcome) outcome = limit;
  if (outcome && !for_the_end) observer.before_end(*this);
  return outcome;
}

void Trainer::update(const Tensor& indices, double learning_rate) {
  Tensor inputs = data_.train.inputs;
  Tensor targets = data_.train.targets;
  if (!full_batch_) {
    inputs = inputs.index_select(0, indices);
    targets = targets.index_select(0, indices);
  }
  const int64_t examples = targets.size(0);
  const int64_t slice = std::min(options_.micro_batch.value_or(examples), examples);
  for (Tensor& parameter : network_->parameters()) parameter.mutable_grad() = Tensor();
  Tensor sums = at::zeros({2}, targets.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < examples; begin += slice) {
    const int64_t end = std::min(begin + slice, examples);
    const Tensor x = data_.training_inputs(inputs.slice(0, begin, end), augmentation_);
    const Tensor y = targets.slice(0, begin, end);
    Tensor outputs;
    {
      const AutocastGuard autocast(options_.autocast == Autocast::bfloat16);
      outputs = network_->forward(x);
    }
    if (options_.autocast != Autocast::none) outputs = outputs.to(at::kFloat);
    const Tensor loss_sum = loss_.sum(outputs, y);
    (loss_sum * loss_.scale(examples)).backward();
    const at::NoGradGuard no_grad;
    sums[0].add_(loss_sum.detach());
    sums[1].add_(correct_count(decision_, outputs, y));
  }
  // Sparse gradients (of embeddings) are small views of dense ones; optimizers know the latter.
  for (Tensor& parameter : network_->parameters())
    if (parameter.grad().defined() && parameter.grad().is_sparse())
      parameter.mutable_grad() = parameter.grad().to_dense();
  optimizer_->step(learning_rate);
  accumulate(interval_, sums, examples);
  accumulate(since_evaluation_, sums, examples);
  accumulate(epoch_, sums, examples);
}

double Trainer::learning_rate() const {
  double rate = optimizer_->base_learning_rate() * schedule_(epoch());
  if (options_.warmup_epochs > 0) {
    const double steps = options_.warmup_epochs * static_cast<double>(sampler_.steps_per_epoch());
    rate *= std::min(1.0, static_cast<double>(step_ + 1) / steps);
  }
  return rate;
}

void Trainer::accumulate(Means& means, const Tensor& sums, int64_t examples) const {
  if (means.totals.defined())
    means.totals += sums;
  else
    means.totals = sums.clone();
  means.examples += examples;
}

Interval Trainer::epoch_means() const { return mean(epoch_); }

Interval Trainer::mean(const Means& means) const {
  Interval interval{step_, epoch(), learning_rate(), not_defined, not_defined};
  if (means.examples > 0) {
    const double examples = static_cast<double>(means.examples);
    // For a sum over examples the mean batch loss is per example too: batches may differ in size.
    interval.loss = means.totals[0].item<double>() / examples;
    interval.accuracy = means.totals[1].item<double>() / examples;
  }
  return interval;
}

Interval Trainer::take(Means& means) const {
  const Interval interval = mean(means);
  means = {};
  return interval;
}

bool Trainer::diverged_now() const { return !std::isfinite(interval_.totals[0].item<double>()); }

bool Trainer::evaluation_due() const {
  if (evaluated_at_ < 0) return true;
  // Half a step of slack: evaluate_every need not be a whole number of steps.
  const double half_step = 0.5 / static_cast<double>(sampler_.steps_per_epoch());
  return epoch() + half_step >= evaluated_at_ + options_.evaluate_every;
}

void Trainer::evaluate_now(TrainingObserver& observer) {
  switch_clock(training_seconds_);
  const Evaluation evaluation{take(since_evaluation_),
                              evaluate(*network_, data_, loss_, options_.evaluation_batch)};
  evaluated_at_ = epoch();
  evaluated_ = evaluation.fit;
  switch_clock(evaluation_seconds_);
  observer.evaluated(evaluation);
}

std::optional<Outcome> Trainer::target_reached() const {
  if (evaluated_at_ != epoch() || !evaluated_) return std::nullopt;
  const StopOptions& stop = options_.stop;
  if (stop.train_accuracy && evaluated_->train_accuracy >= *stop.train_accuracy)
    return Outcome::train_accuracy_reached;
  if (stop.train_loss && evaluated_->train_loss <= *stop.train_loss) return Outcome::train_loss_reached;
  return std::nullopt;
}

std::optional<Outcome> Trainer::limit_reached() const {
  const StopOptions& stop = options_.stop;
  if (stop.steps && step_ >= *stop.steps) return Outcome::step_limit;
  if (stop.epochs && epoch() >= *stop.epochs) return Outcome::epoch_limit;
  if (stop.seconds && training_seconds_ + evaluation_seconds_ >= *stop.seconds) return Outcome::time_limit;
  return std::nullopt;
}

void Trainer::switch_clock(double& meter) {
  const double time = now();
  meter += time - clock_;
  clock_ = time;
}

Archive Trainer::save(const Means& means) const {
  Archive archive;
  archive.put("examples", means.examples);
  if (means.examples > 0) archive.put("totals", means.totals);
  return archive;
}

void Trainer::restore(Means& means, const Archive& archive) const {
  means = {};
  means.examples = archive.integer("examples");
  if (means.examples > 0) means.totals = archive.tensor("totals").to(device_);
}

Archive Trainer::state() const {
  Archive archive;
  archive.put("network", save_network(*network_));
  archive.put("optimizer", optimizer_->state());
  archive.put("sampler", sampler_.state());
  archive.put("augmentation", augmentation_.get_state());
  archive.put("global_generators", save_global_generators(device_));
  archive.put("interval", save(interval_));
  archive.put("since_evaluation", save(since_evaluation_));
  archive.put("epoch", save(epoch_));
  archive.put("step", step_);
  archive.put("evaluated_at", evaluated_at_);
  if (evaluated_) {
    archive.put("evaluated_train_loss", evaluated_->train_loss);
    archive.put("evaluated_train_accuracy", evaluated_->train_accuracy);
  }
  archive.put("training_seconds", training_seconds_);
  archive.put("evaluation_seconds", evaluation_seconds_);
  archive.put("measuring_seconds", measuring_seconds_);
  return archive;
}

void Trainer::load(const Archive& archive) {
  load_network(*network_, archive.archive("network"));
  optimizer_->load(archive.archive("optimizer"));
  sampler_.load(archive.archive("sampler"));
  augmentation_.set_state(archive.tensor("augmentation"));
  load_global_generators(archive.archive("global_generators"), device_);
  restore(interval_, archive.archive("interval"));
  restore(since_evaluation_, archive.archive("since_evaluation"));
  // Absent from checkpoints of versions that did not show it; nothing of the run depends on it.
  if (archive.contains("epoch")) restore(epoch_, archive.archive("epoch"));
  step_ = archive.integer("step");
  evaluated_at_ = archive.number("evaluated_at");
  evaluated_.reset();  // version 0.1 did not save it
  if (archive.contains("evaluated_train_loss"))
    evaluated_ = Fit{.train_loss = archive.number("evaluated_train_loss"),
                     .train_accuracy = archive.number("evaluated_train_accuracy")};
  training_seconds_ = archive.number("training_seconds");
  evaluation_seconds_ = archive.number("evaluation_seconds");
  // Absent from checkpoints of versions that did not measure.
  measuring_seconds_ = archive.contains("measuring_seconds") ? archive.number("measuring_seconds") : 0;
}

}  // namespace plumb
