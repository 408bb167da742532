// Oracle: closed forms for linear least squares; otherwise the same run done another way, compared bit for
// bit.
#include "plumb/training/trainer.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/problems.hpp"

#include "plumb/training/snapshot.hpp"

using namespace plumb;

namespace {

/// Remembers everything a run says; stops it after `stop_after` updates.
struct Notes final : TrainingObserver {
  int64_t stop_after = -1;
  std::vector<double> numbers;
  std::vector<Evaluation> evaluations;
  std::vector<double> learning_rates;

  void interval(const Interval& row) override {
    numbers.insert(numbers.end(), {static_cast<double>(row.step), row.epoch, row.loss, row.accuracy});
    learning_rates.push_back(row.learning_rate);
  }
  void evaluated(const Evaluation& row) override {
    evaluations.push_back(row);
    numbers.insert(numbers.end(), {row.fit.train_loss, row.fit.train_accuracy, row.fit.test_loss});
  }
  bool after_step(const Trainer& trainer) override { return trainer.step() != stop_after; }
};

/// One hidden layer with dropout, which draws from LibTorch's global generator.
struct DropoutNetwork final : Network {
  DropoutNetwork() {
    register_module("hidden", hidden);
    register_module("dropout", dropout);
    register_module("out", out);
    to(torch::kDouble);
    at::Generator generator = Seed(5).stream("weights");
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : parameters()) parameter.normal_(0, 0.5, generator);
  }
  Tensor forward(Tensor x) override { return out(dropout(torch::tanh(hidden(x)))); }

  torch::nn::Linear hidden{5, 16};
  torch::nn::Dropout dropout{0.3};
  torch::nn::Linear out{16, 3};
};

Outcome run_linear(const std::string& yaml, Notes& notes) {
  Trainer trainer(std::make_shared<test::LinearNetwork>(4, 2), test::random_data(12, 4, 2),
                  test::training_options(yaml), Seed(1));
  return trainer.run(notes);
}

}  // namespace

TEST_CASE("gradient descent on linear least squares follows its closed form", "[training][trainer]") {
  const TrainingData data = test::random_data(20, 4, 3);
  const auto network = std::make_shared<test::LinearNetwork>(4, 3);
  const double rate = 0.1;
  Trainer trainer(
      network, data,
      test::training_options("{loss: {type: square, factor: 0.5}, optimizer: {type: gd, learning_rate: "
                             "0.1}, stop: {steps: 30, epochs: none}, evaluate_every: 10}"),
      Seed(1));
  Notes notes;
  CHECK(trainer.run(notes) == Outcome::step_limit);
  // L = 1/(2n) ||X W' - Y||^2 from W = 0: W'_k = (I - (I - rate H)^k) H^-1 X'Y / n with H = X'X/n.
  const Tensor x = data.train.inputs, y = torch::one_hot(data.train.targets, 3).to(torch::kDouble);
  const Tensor hessian = x.t().mm(x) / 20, identity = torch::eye(4, torch::kDouble);
  const Tensor power = torch::linalg_matrix_power(identity - rate * hessian, 30);
  const Tensor expected = (identity - power).mm(torch::linalg_solve(hessian, x.t().mm(y) / 20)).t();
  CHECK(torch::allclose(network->weight.detach(), expected, 1e-11, 1e-13));
}

TEST_CASE("micro-batches add up to the gradient of the whole batch", "[training][trainer]") {
  const std::string loss = GENERATE(as<std::string>{}, "cross_entropy", "{type: square, reduction: sum}");
  const auto train = [&](const std::string& micro) {
    const auto network = std::make_shared<test::LinearNetwork>(4, 3);
    Trainer trainer(network, test::random_data(20, 4, 3),
                    test::training_options("{loss: " + loss +
                                           ", optimizer: {type: gd, learning_rate: 0.01}, stop: "
                                           "{steps: 5}, micro_batch: " +
                                           micro + "}"),
                    Seed(1));
    Notes notes;
    trainer.run(notes);
    return network->weight.detach();
  };
  CHECK(torch::allclose(train("none"), train("3"), 1e-13, 1e-15));
  CHECK_FALSE(train("none").equal(torch::zeros({3, 4}, torch::kDouble)));
}

TEST_CASE("a run ends at the first limit that is met, and says which", "[training][trainer]") {
  Notes notes;
  CHECK(run_linear("{stop: {steps: 7, epochs: 100}, batch_size: 5}", notes) == Outcome::step_limit);
  CHECK(run_linear("{stop: {epochs: 2}, batch_size: 5}", notes) == Outcome::epoch_limit);
  CHECK(run_linear("{stop: {train_loss: 100, epochs: 5}}", notes) == Outcome::train_loss_reached);
  CHECK(run_linear("{stop: {train_accuracy: 0.1, epochs: 5}}", notes) == Outcome::train_accuracy_reached);
  CHECK(run_linear("{stop: {seconds: 0.05, epochs: none}}", notes) == Outcome::time_limit);
  notes.stop_after = 3;
  CHECK(run_linear("{stop: {epochs: 100}}", notes) == Outcome::interrupted);
  CHECK_THROWS_WITH(run_linear("{stop: {epochs: none}}", notes), ContainsSubstring("no limit is set"));
}

TEST_CASE("a loss that leaves the finite numbers ends the run as diverged", "[training][trainer]") {
  Notes notes;
  CHECK(run_linear(
            "{loss: square, optimizer: {type: sgd, learning_rate: 1000}, record_every: 1000, stop: {epochs: "
            "2000}, evaluate_every: 5000}",
            notes) == Outcome::diverged);
  REQUIRE(notes.numbers.size() >= 4);
  CHECK_FALSE(std::isfinite(notes.numbers[notes.numbers.size() - 2]));
  // NaN from the start, which is neither below nor above any target.
  TrainingData data = test::random_data(12, 4, 2);
  data.train.inputs[3][1] = std::nan("");
  Trainer trainer(std::make_shared<test::LinearNetwork>(4, 2), data,
                  test::training_options("{stop: {train_loss: 0.5, epochs: 10}}"), Seed(1));
  CHECK(trainer.run(notes) == Outcome::diverged);
  CHECK(trainer.step() == 0);
}

TEST_CASE("evaluations come at the start, at their interval, and at the end", "[training][trainer]") {
  Notes notes;
  run_linear("{stop: {steps: 7, epochs: none}, batch_size: 4, evaluate_every: 1}",
             notes);  // 3 steps an epoch
  std::vector<int64_t> steps;
  for (const Evaluation& evaluation : notes.evaluations) steps.push_back(evaluation.batches.step);
  CHECK(steps == std::vector<int64_t>{0, 3, 6, 7});
  CHECK(std::isnan(notes.evaluations[0].batches.loss));
}

TEST_CASE("warm-up raises the learning rate to its value, step by step", "[training][trainer]") {
  Notes notes;
  run_linear(
      "{optimizer: {type: sgd, learning_rate: 0.8}, warmup_epochs: 2, batch_size: 6, record_every: 1, stop: "
      "{epochs: 3}}",
      notes);
  // The rate reported at a step is the one of the update to come; 4 steps of warm-up.
  CHECK(notes.learning_rates == std::vector<double>{0.4, 0.6000000000000001, 0.8, 0.8, 0.8, 0.8});
}

TEST_CASE("a saved run continues bit for bit, from any step", "[training][trainer][resume]") {
  const std::string yaml = GENERATE(
      as<std::string>{},
      "{optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}, schedule: {type: "
      "exponential, gamma: 0.7}, batch_size: 4, stop: {epochs: 5}, record_every: 2, evaluate_every: 1}",
      "{optimizer: {type: adam, learning_rate: 0.01}, schedule: cosine, warmup_epochs: 1, batch_size: 5, "
      "micro_batch: 2, stop: {epochs: 5}, record_every: 3, evaluate_every: 0.5}");
  const int64_t stop_after = GENERATE(1, 4, 7, 10, 13);  // the last one falls into an epoch's middle
  const TrainingData data = test::random_data(23, 5, 3, 5);
  const TrainingOptions options = test::training_options(yaml);
  seed_global_generators(11, torch::kCPU);
  const auto whole = std::make_shared<DropoutNetwork>();
  Trainer uninterrupted(whole, data, options, Seed(1));
  Notes all;
  const Outcome outcome = uninterrupted.run(all);

  seed_global_generators(11, torch::kCPU);
  Notes first, second;
  first.stop_after = stop_after;
  const test::TemporaryFolder folder;
  {
    Trainer trainer(std::make_shared<DropoutNetwork>(), data, options, Seed(1));
    CHECK(trainer.run(first) == Outcome::interrupted);
    trainer.state().save(folder / "checkpoint.pt");
  }
  seed_global_generators(999, torch::kCPU);
  const auto resumed = std::make_shared<DropoutNetwork>();
  Trainer trainer(resumed, data, options, Seed(1));
  trainer.load(Archive::load(folder / "checkpoint.pt"));
  CHECK(trainer.run(second) == outcome);

  for (size_t i = 0; i < whole->parameters().size(); ++i)
    CHECK(whole->parameters()[i].equal(resumed->parameters()[i]));
  first.numbers.insert(first.numbers.end(), second.numbers.begin(), second.numbers.end());
  CHECK(first.numbers == all.numbers);
}

TEST_CASE("a run whose limits are raised goes on to the bits of one that was long at once",
          "[training][trainer][resume]") {
  // Ends at an evaluation, between two, and in the middle of an epoch.
  const std::string end = GENERATE(as<std::string>{}, "{epochs: 2}", "{steps: 8, epochs: none}",
                                   "{steps: 13, epochs: none}", "{epochs: 9, train_loss: 1e9}");
  const std::string yaml =
      "{optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}, batch_size: 5, record_every: 3, "
      "evaluate_every: 2, stop: ";
  const TrainingData data = test::random_data(23, 5, 3, 5);
  struct Ending final : TrainingObserver {
    void interval(const Interval& row) override { rows.push_back(row.loss); }
    void evaluated(const Evaluation& row) override { rows.push_back(row.fit.train_loss); }
    void before_end(const Trainer& trainer) override {
      CHECK(++ends == 1);
      state = trainer.state();
      // A copy: the run may move the weights on, and rows of the end itself are none of a longer run.
      const test::TemporaryFolder folder;
      state.save(folder / "state.pt");
      state = Archive::load(folder / "state.pt");
      kept = rows;
    }
    int ends = 0;
    Archive state;
    std::vector<double> rows, kept;
  };
  const auto make = [&](const std::string& stop) {
    seed_global_generators(11, torch::kCPU);
    return std::make_unique<Trainer>(std::make_shared<DropoutNetwork>(), data,
                                     test::training_options(yaml + stop + "}"), Seed(1));
  };
  Ending whole, first, second;
  const auto long_at_once = make("{epochs: 6}");
  CHECK(long_at_once->run(whole) == Outcome::epoch_limit);
  make(end)->run(first);
  REQUIRE(first.ends == 1);
  const auto longer = make("{epochs: 6}");
  longer->load(first.state);
  CHECK(longer->run(second) == Outcome::epoch_limit);
  std::vector<double> rows = first.kept;
  rows.insert(rows.end(), second.rows.begin(), second.rows.end());
  CHECK(rows == whole.rows);
  const Archive expected = long_at_once->state().archive("network"),
                found = longer->state().archive("network");
  for (const auto& [name, value] : expected.values())
    CHECK(std::get<Tensor>(value).equal(found.tensor(name)));
}

TEST_CASE("a state whose limits are not raised ends where it ended", "[training][trainer][resume]") {
  const std::string stop = GENERATE(as<std::string>{}, "{epochs: 2}", "{steps: 3, epochs: none}",
                                    "{epochs: 9, train_accuracy: 0.1}");
  const auto options = test::training_options("{batch_size: 4, evaluate_every: 2, stop: " + stop + "}");
  struct Saver final : TrainingObserver {
    void before_end(const Trainer& trainer) override { state = trainer.state(); }
    void evaluated(const Evaluation&) override { ++evaluations; }
    Archive state;
    int evaluations = 0;
  };
  const TrainingData data = test::random_data(12, 4, 2);
  Saver first, second;
  Trainer trainer(std::make_shared<test::LinearNetwork>(4, 2), data, options, Seed(1));
  const Outcome outcome = trainer.run(first);
  Trainer again(std::make_shared<test::LinearNetwork>(4, 2), data, options, Seed(1));
  again.load(first.state);
  CHECK(again.run(second) == outcome);
  CHECK(again.step() == trainer.step());
  CHECK(second.evaluations == (stop.starts_with("{steps") ? 1 : 0));
}

TEST_CASE("a batch that is larger than the training set is said", "[training][trainer]") {
  const auto notes = [](const std::string& yaml) {
    return Trainer(std::make_shared<test::LinearNetwork>(4, 2), test::random_data(12, 4, 2),
                   test::training_options(yaml), Seed(1))
        .notes();
  };
  CHECK(notes("{batch_size: 12}").empty());
  CHECK(notes("{optimizer: gd}").empty());
  REQUIRE(notes("{batch_size: 13}").size() == 1);
  CHECK_THAT(notes("{batch_size: 13}")[0], ContainsSubstring("13 is more than the 12 training examples"));
}

TEST_CASE("a checkpoint of another network is refused", "[training][trainer]") {
  const TrainingData data = test::random_data(12, 4, 2);
  const TrainingOptions options = test::training_options("{stop: {epochs: 1}}");
  Trainer small(std::make_shared<test::LinearNetwork>(4, 2), data, options, Seed(1));
  Trainer large(std::make_shared<test::LinearNetwork>(4, 3), data, options, Seed(1));
  CHECK_THROWS_WITH(large.load(small.state()), ContainsSubstring("another shape"));
}

TEST_CASE("the means of an epoch are those of its batches, also after a resume", "[training][trainer]") {
  const std::string yaml =
      "{optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 5, stop: {epochs: 2.5}, record_every: 1}";
  /// The mean over a whole epoch's examples, from the losses of its batches of 5, 5 and 2.
  struct Compared final : TrainingObserver {
    std::vector<double> losses, accuracies;
    int64_t stop_after = -1;
    void interval(const Interval& row) override {
      losses.push_back(row.loss);
      accuracies.push_back(row.accuracy);
    }
    bool after_step(const Trainer& trainer) override {
      const std::vector<double> sizes{5, 5, 2};
      const auto in_epoch = static_cast<size_t>((trainer.step() - 1) % 3);
      double loss = 0, accuracy = 0, examples = 0;
      for (size_t i = 0; i <= in_epoch; ++i) {
        const size_t row = losses.size() - 1 - in_epoch + i;
        loss += sizes[i] * losses[row];
        accuracy += sizes[i] * accuracies[row];
        examples += sizes[i];
      }
      CHECK(trainer.epoch_means().loss == Approx(loss / examples));
      CHECK(trainer.epoch_means().accuracy == Approx(accuracy / examples));
      return trainer.step() != stop_after;
    }
  } compared;
  const auto make = [&] {
    return std::make_unique<Trainer>(std::make_shared<test::LinearNetwork>(4, 2), test::random_data(12, 4, 2),
                                     test::training_options(yaml), Seed(1));
  };
  const auto first = make();
  CHECK(std::isnan(first->epoch_means().loss));
  compared.stop_after = 4;
  CHECK(first->run(compared) == Outcome::interrupted);
  const auto second = make();
  second->load(first->state());
  CHECK(second->epoch_means().loss == first->epoch_means().loss);
  compared.stop_after = -1;
  CHECK(second->run(compared) == Outcome::epoch_limit);
  CHECK(compared.losses.size() == 8);
}
