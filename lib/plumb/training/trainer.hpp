/// The training loop: batches, updates, evaluations, stopping; a state that can be saved and taken up again
/// exactly.
#pragma once

#include <memory>
#include <optional>

#include "plumb/core/archive.hpp"
#include "plumb/core/random.hpp"
#include "plumb/models/network.hpp"
#include "plumb/objective/loss.hpp"
#include "plumb/training/evaluation.hpp"
#include "plumb/training/optimizer.hpp"
#include "plumb/training/sampler.hpp"
#include "plumb/training/schedule.hpp"
#include "plumb/training/stopping.hpp"

namespace plumb {

enum class Autocast { none, bfloat16 };

struct TrainingOptions {
  Choice<Loss()> loss{losses(), "cross_entropy"};
  Choice<std::unique_ptr<Optimizer>(std::vector<Tensor>)> optimizer{optimizers(), "sgd"};
  Choice<Schedule(double)> schedule{schedules(), "constant"};
  double warmup_epochs = 0;
  int64_t batch_size = 128;
  std::optional<int64_t> micro_batch;
  Autocast autocast = Autocast::none;
  StopOptions stop;
  double evaluate_every = 1;
  int64_t evaluation_batch = 500;
  int64_t record_every = 50;

  void fields(Fields& f);
};

/// The update that follows a state.
struct Update {
  const Tensor& indices;  // (b) int64: the examples of the batch
  double learning_rate;   // with the schedule in it
  const TrainingOptions& options;
};

/// A run held still before an update: what a measurement may look at. Measurements change nothing of it.
struct Moment {
  int64_t step;  // updates done
  double epoch;  // epochs done, with fraction
  Network& network;
  const TrainingData& data;
  const Loss& loss;
  const Update* update = nullptr;  // the one to come; null pointer at the end of the run
};

/// Means over the training batches since the last interval; the loss is L of a batch, the accuracy in
/// training mode.
struct Interval {
  int64_t step;
  double epoch;
  double learning_rate;
  double loss;
  double accuracy;
};

/// One evaluation, with the means over the training batches since the previous one.
struct Evaluation {
  Interval batches;
  Fit fit;
};

/// What may follow a run. Nothing it does can change the trajectory; all calls come between updates.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void before_step(const Moment&) {}
  /// At the end of the run, unless it was interrupted: the state that no update follows.
  virtual void after_last_step(const Moment&) {}
  virtual void interval(const Interval&) {}
  virtual void evaluated(const Evaluation&) {}
  /// Before a run ends by itself, and not because it diverged: the state from which a run with higher limits
  /// goes on, without the evaluation and the measurements that only an end asks for.
  virtual void before_end(const class Trainer&) {}
  /// After an update and whatever was recorded at it: the moment to save. False interrupts the run.
  virtual bool after_step(const class Trainer&) { return true; }
};

class Trainer {
 public:
  /// Trains `network` in place: its trainable_parameters(), each once. Batch order and augmentation come from
  /// seed.stream("batches") and ("augmentation"). Throws ConfigError when the options do not fit together,
  /// ContractError for parameters that cannot be trained (see check_can_be_trained).
  Trainer(std::shared_ptr<Network> network, TrainingData data, TrainingOptions options, const Seed& seed);

  /// Trains until one of the stop conditions holds, or the observer says stop.
  Outcome run(TrainingObserver& observer);

  /// Where a run does less than its options say: a batch that is larger than the training set.
  std::vector<std::string> notes() const;

  int64_t step() const { return step_; }
  double epoch() const { return sampler_.progress(); }
  /// Loss and accuracy on the training set at the last evaluation, this session's or an earlier one's; NaN
  /// before the first one.
  Fit last_evaluation() const { return evaluated_.value_or(Fit{}); }
  /// Means over the batches of the epoch under way, or of the one that this update ended; NaN before the
  /// first batch.
  Interval epoch_means() const;
  double training_seconds() const { return training_seconds_; }
  double evaluation_seconds() const { return evaluation_seconds_; }
  /// Spent in the observer's looks at the states; part of no other meter, nor of the time limit.
  double measuring_seconds() const { return measuring_seconds_; }

  /// Everything the rest of the run depends on: weights, buffers, optimizer, order of examples, generators
  /// (LibTorch's global ones too, which a network's own dropout may use), running means, the last evaluation,
  /// times. A trainer made with the same arguments that loads it continues bit for bit; one whose limits
  /// alone are higher (training.stop) continues to the bits of a run that had those from its start, unless
  /// the schedule needs an end.
  Archive state() const;
  void load(const Archive& archive);

 private:
  struct Means {    // of the batches since some step, kept on the device so that no step waits for it
    Tensor totals;  // (2) double: sum of losses times examples, correct predictions
    int64_t examples = 0;
  };

  Outcome train(TrainingObserver& observer);
  Moment moment() { return {step_, epoch(), *network_, data_, loss_}; }
  void update(const Tensor& indices, double learning_rate);
  void accumulate(Means& means, const Tensor& sums, int64_t examples) const;
  Interval mean(const Means& means) const;
  Interval take(Means& means) const;
  Archive save(const Means& means) const;
  void restore(Means& means, const Archive& archive) const;
  double learning_rate() const;
  bool diverged_now() const;
  bool evaluation_due() const;
  void evaluate_now(TrainingObserver& observer);
  /// Ends the run when it is over at this state, with everything that its end asks for.
  std::optional<Outcome> end_here(TrainingObserver& observer);
  std::optional<Outcome> target_reached() const;
  std::optional<Outcome> limit_reached() const;
  void switch_clock(double& meter);

  std::shared_ptr<Network> network_;
  TrainingData data_;
  TrainingOptions options_;
  Loss loss_;
  std::unique_ptr<Optimizer> optimizer_;
  Sampler sampler_;
  Schedule schedule_;
  at::Generator augmentation_;
  at::Device device_;
  bool full_batch_;
  Decision decision_;

  int64_t step_ = 0;
  double evaluated_at_ = -1;      // epoch of the last evaluation
  std::optional<Fit> evaluated_;  // its loss and accuracy on the training set
  Means interval_, since_evaluation_, epoch_;
  double training_seconds_ = 0;
  double evaluation_seconds_ = 0;
  double measuring_seconds_ = 0;
  double clock_ = 0;  // when the running meter was last read, in seconds of the steady clock
};

}  // namespace plumb
