#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/lecture/adversarial_start.hpp"
#include "plumb/training/ensemble.hpp"

namespace plumb {
namespace {

struct AdversarialInitializationOptions {
  int64_t per_class = 25;
  int64_t width = 50;
  int64_t seeds = 10;
  int64_t random_label_steps = 5000;
  int64_t steps = 500;
  double learning_rate = 0.1;
  double weight_decay = 0.01;
  int64_t copies = 2;
  double jitter = 0.1;

  void fields(Fields& f) {
    f.field("per_class", per_class, "training points in each of the two classes", positive);
    f.field("width", width, "units in each of the two hidden layers", positive);
    f.field("seeds", seeds, "draws of points, labels and weights, at least two",
            Range{.low = 2, .says = "must be at least 2"});
    f.field("random_label_steps", random_label_steps, "at most, on random labels before", positive);
    f.field("steps", steps, "of gradient descent on the true labels", positive);
    f.field("learning_rate", learning_rate, "of all trainings", positive);
    f.field("weight_decay", weight_decay, "of the regularized trainings", non_negative);
    f.field("copies", copies, "jittered copies of each point that the regularized trainings see beside it",
            non_negative);
    f.field("jitter", jitter, "deviation of the copies, before scaling", non_negative);
  }
};

constexpr double toy_scale = 8;  // of the plane, so that a step of ordinary size moves the boundary
constexpr int64_t toy_test = 2000;

/// Points 0.1 N(2, 1.5^2) in the plane, classes shifted by +-0.65 along the first axis, scaled; a third
/// coordinate 1 stands for biases.
struct ToyPoints {
  Tensor inputs;  // (2k, 3)
  Tensor labels;  // (2k, 1), +-1

  static ToyPoints draw(int64_t per_class, at::Generator& generator) {
    const Tensor labels =
        at::cat({at::ones({per_class, 1}, at::kDouble), -at::ones({per_class, 1}, at::kDouble)});
    Tensor plane = (at::randn({2 * per_class, 2}, generator, at::kDouble) * 1.5 + 2) * 0.1;
    plane.select(1, 0) += 0.65 * labels.squeeze(1);
    return {with_constant(plane), labels};
  }

  ToyPoints with_copies(int64_t copies, double jitter, at::Generator& generator) const {
    std::vector<Tensor> points{inputs}, values{labels};
    const Tensor plane = inputs.slice(1, 0, 2) / toy_scale;
    for (int64_t i = 0; i < copies; ++i) {
      points.push_back(with_constant(plane + jitter * at::randn(plane.sizes(), generator, at::kDouble)));
      values.push_back(labels);
    }
    return {at::cat(points), at::cat(values)};
  }

 private:
  static Tensor with_constant(const Tensor& plane) {
    return at::cat({plane * toy_scale, at::ones({plane.size(0), 1}, at::kDouble)}, 1);
  }
};

std::vector<Tensor> random_toy_weights(int64_t width, at::Generator& generator) {
  const auto m = static_cast<double>(width);
  return {at::randn({width, 3}, generator, at::kDouble) * std::sqrt(2.0 / 3),
          at::randn({width, width}, generator, at::kDouble) * std::sqrt(2 / m),
          at::randn({1, width}, generator, at::kDouble) / std::sqrt(m)};
}

double toy_accuracy(const std::vector<Tensor>& weights, const Tensor& inputs, const Tensor& labels) {
  Tensor values = inputs;
  for (size_t i = 0; i < weights.size(); ++i) {
    values = values.mm(weights[i].t());
    if (i + 1 < weights.size()) values.relu_();
  }
  return (values * labels).gt(0).to(at::kDouble).mean().item<double>();
}

/// All seeds side by side.
struct ToyWorld {
  std::vector<ToyPoints> train, augmented, test;
  std::vector<Tensor> random_labels;
  std::vector<std::vector<Tensor>> random, adversarial;  // starts
};

class AdversarialInitialization final : public System {
 public:
  explicit AdversarialInitialization(const AdversarialInitializationOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S13", "Does SGD avoid bad global minima? (Liu, Papailiopoulos, Achlioptas 2020)",
        "Started from weights that fit random labels, SGD on the true labels ends in a global minimum that "
        "generalizes badly; with regularization it does not matter where it starts.",
        "On CIFAR-10 plain SGD loses up to 40 points of test accuracy from such a start; with data "
        "augmentation, weight decay and momentum nothing (abstract). Here: the authors' toy problem, two "
        "classes of 25 points in the plane and two hidden layers.",
        "In the toy problem the loss is small, since the classes are far apart. Augmentation here is a fixed "
        "set of jittered copies, and biases are one constant coordinate. Later work finds the effect to "
        "depend on the data."};
  }

  std::vector<std::string> paper_size() const override {
    return {"width=100", "seeds=50", "random_label_steps=50000", "steps=5000"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    const auto say = [&](const char* what) {
      if (surroundings.progress) surroundings.progress(what);
    };
    ToyWorld world = draw_world(surroundings.seed);
    AdversarialMeasured measured;
    say("fitting random labels");
    measured.random_label_accuracy = make_adversarial(world);
    measured.training_accuracy = 1;
    say("true labels");
    measured.plain = from_two_starts(world, world.train, 0, measured.training_accuracy);
    say("true labels, regularized");
    measured.regularized =
        from_two_starts(world, world.augmented, options_.weight_decay, measured.training_accuracy);
    return evidence(measured);
  }

 private:
  ToyWorld draw_world(const Seed& seed) const {
    at::Generator generator = seed.stream("toy");
    ToyWorld world;
    for (int64_t i = 0; i < options_.seeds; ++i) {
      world.train.push_back(ToyPoints::draw(options_.per_class, generator));
      world.augmented.push_back(world.train.back().with_copies(options_.copies, options_.jitter, generator));
      world.test.push_back(ToyPoints::draw(toy_test / 2, generator));
      world.random_labels.push_back(at::randint(2, {2 * options_.per_class, 1}, generator, at::kDouble) * 2 -
                                    1);
      world.random.push_back(random_toy_weights(options_.width, generator));
    }
    return world;
  }

  /// One training for each seed; the weights they end with.
  std::vector<std::vector<Tensor>> train_all(const std::vector<std::vector<Tensor>>& starts,
                                             const std::vector<ToyPoints>& points,
                                             const EnsembleOptions& options) const {
    std::vector<EnsembleMember> members;
    for (size_t i = 0; i < starts.size(); ++i)
      members.push_back({.inputs = points[i].inputs,
                         .targets = points[i].labels,
                         .weights = starts[i],
                         .learning_rate = options_.learning_rate});
    std::vector<std::vector<Tensor>> ends;
    for (MemberOutcome& outcome : train_ensemble(members, options))
      ends.push_back(std::move(outcome.weights));
    return ends;
  }

  EnsembleOptions training_options(int64_t steps, double weight_decay) const {
    EnsembleOptions options;
    options.loss = EnsembleLoss::logistic;
    options.reduction = Reduction::mean;
    options.max_steps = steps;
    options.weight_decay = weight_decay;
    return options;
  }

  double make_adversarial(ToyWorld& world) const {
    std::vector<ToyPoints> points;
    for (size_t i = 0; i < world.train.size(); ++i)
      points.push_back({world.train[i].inputs, world.random_labels[i]});
    EnsembleOptions options = training_options(options_.random_label_steps, 0);
    options.accuracy = 1;
    world.adversarial = train_all(world.random, points, options);
    double sum = 0;
    for (size_t i = 0; i < points.size(); ++i)
      sum += toy_accuracy(world.adversarial[i], points[i].inputs, points[i].labels);
    return sum / static_cast<double>(points.size());
  }

  FromTwoStarts from_two_starts(const ToyWorld& world, const std::vector<ToyPoints>& points,
                                double weight_decay, double& training_accuracy) const {
    const EnsembleOptions options = training_options(options_.steps, weight_decay);
    const auto accuracies = [&](const std::vector<std::vector<Tensor>>& starts) {
      const auto ends = train_all(starts, points, options);
      std::vector<double> test;
      for (size_t i = 0; i < ends.size(); ++i) {
        training_accuracy =
            std::min(training_accuracy, toy_accuracy(ends[i], world.train[i].inputs, world.train[i].labels));
        test.push_back(toy_accuracy(ends[i], world.test[i].inputs, world.test[i].labels));
      }
      return test;
    };
    return {accuracies(world.random), accuracies(world.adversarial)};
  }

  Evidence evidence(const AdversarialMeasured& measured) const {
    Evidence evidence;
    evidence.setting = fmt::format("{} points  2-{}-{}-1  {} seeds  {} steps", 2 * options_.per_class,
                                   options_.width, options_.width, options_.seeds, options_.steps);
    evidence.claims = adversarial_claims(measured);
    Figure figure{"starts",
                  "Test accuracy from two starts",
                  "One point per seed; each training has all training labels right.",
                  {"seed"},
                  {"test accuracy"},
                  {}};
    NamedTable table{"Mean test accuracy", {{"", "random start", "adversarial start"}, {}}};
    const auto add = [&](const std::string& name, const FromTwoStarts& starts) {
      std::vector<std::string> line{name};
      for (const auto& [start, values] :
           {std::pair{"random", &starts.random}, {"adversarial", &starts.adversarial}}) {
        Curve curve{fmt::format("{}, {}", start, name), {}, *values, {}};
        double sum = 0;
        for (const double value : *values) {
          curve.x.push_back(static_cast<double>(curve.x.size()));
          sum += value;
        }
        line.push_back(fmt::format("{:.4f}", sum / static_cast<double>(values->size())));
        figure.curves.push_back(std::move(curve));
      }
      table.table.rows.push_back(std::move(line));
    };
    add("plain", measured.plain);
    add("regularized", measured.regularized);
    evidence.figures.push_back(std::move(figure));
    evidence.tables.push_back(std::move(table));
    evidence.remarks.push_back(
        fmt::format("The adversarial weights have {:.0f} % of their random labels right.",
                    100 * measured.random_label_accuracy));
    return evidence;
  }

  AdversarialInitializationOptions options_;
};

std::unique_ptr<System> make_adversarial_initialization(const AdversarialInitializationOptions& options) {
  return std::make_unique<AdversarialInitialization>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, adversarial_initialization, AdversarialInitializationOptions,
               make_adversarial_initialization,
               "S13: gradient descent from weights that fit random labels, with and without regularization")

}  // namespace plumb
