// Oracle: gradient descent on linear least squares in closed form, w_k = w* + (I - 2 eta/n X'X)^k (w_0 - w*).
#include <cmath>

#include "support/catch.hpp"
#include "support/problems.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

TrainingData regression(int64_t n, int64_t d, int64_t c) {
  TrainingData data = test::random_data(n, d, 2);
  at::Generator generator = Seed(3).stream("targets");
  data.train.targets = torch::randn({n, c}, generator, torch::kDouble);
  data.clean_targets = data.train.targets;
  data.test.targets = torch::randn({n / 2, c}, generator, torch::kDouble);
  return data;
}

struct LastEvaluation final : TrainingObserver {
  void evaluated(const Evaluation& evaluation) override { last = evaluation; }
  void interval(const Interval& row) override { rows.push_back(row); }
  Evaluation last;
  std::vector<Interval> rows;
};

}  // namespace

TEST_CASE("descent on real targets is linear regression, and accuracy is not defined",
          "[training][targets]") {
  const int64_t steps = 7;
  const double eta = 0.05;
  const TrainingData data = regression(12, 3, 2);
  const auto network = std::make_shared<test::LinearNetwork>(3, 2);
  Trainer trainer(network, data,
                  test::training_options("{loss: square, optimizer: {type: gd, learning_rate: 0.05}, stop: "
                                         "{steps: 7}, record_every: 1}"),
                  Seed(1));
  LastEvaluation observer;
  trainer.run(observer);
  const Tensor &x = data.train.inputs, &y = data.train.targets;
  const Tensor best = x.t().mm(x).inverse().mm(x.t().mm(y));  // (3, 2)
  const Tensor step = torch::eye(3, torch::kDouble) - 2 * eta / 12 * x.t().mm(x);
  const Tensor expected = best + torch::matrix_power(step, steps).mm(-best);
  CHECK((network->weight.t() - expected).abs().max().item<double>() < 1e-12);
  CHECK(observer.last.fit.train_loss ==
        Approx((x.mm(expected) - y).square().sum().item<double>() / 12).epsilon(1e-12));
  CHECK(std::isnan(observer.last.fit.train_accuracy));
  CHECK(std::isnan(observer.last.fit.test_accuracy));
  CHECK_FALSE(std::isnan(observer.last.fit.test_loss));
  REQUIRE(observer.rows.size() == steps);
  CHECK(std::isnan(observer.rows.back().accuracy));
  CHECK(std::isfinite(observer.rows.back().loss));
}

TEST_CASE("the accuracy of signs is that of the sign of the output", "[training][targets]") {
  TrainingData data = regression(10, 3, 1);
  data.train.targets = data.train.inputs.narrow(1, 0, 1).sign();
  data.clean_targets = data.train.targets.clone();
  data.clean_targets[0].neg_();
  data.test.targets = data.test.inputs.narrow(1, 0, 1).sign();
  test::LinearNetwork network(3, 1);
  {
    const torch::NoGradGuard no_grad;
    network.weight[0][0] = 1;  // right everywhere
  }
  const Loss loss = test::training_options("{loss: square}").loss.make();
  const Fit fit = evaluate(network, data, loss, 4);
  CHECK(fit.train_accuracy == 1);
  CHECK(fit.test_accuracy == 1);
  CHECK(fit.memorization == 1);
  CHECK(fit.recovery == 0);
  CHECK(fit.clean_accuracy == 1);
}

TEST_CASE("a loss that does not take the targets is refused, and so is an accuracy that is not defined",
          "[training][targets]") {
  const TrainingData data = regression(6, 3, 2);
  const auto network = std::make_shared<test::LinearNetwork>(3, 2);
  CHECK_THROWS_WITH(Trainer(network, data, test::training_options("{loss: cross_entropy}"), Seed(1)),
                    "training.loss: cross_entropy takes classes; the targets are real numbers");
  CHECK_THROWS_WITH(
      Trainer(network, data, test::training_options("{loss: square, stop: {train_accuracy: 0.9}}"), Seed(1)),
      ContainsSubstring("training.stop.train_accuracy"));
}

TEST_CASE("a run of no updates evaluates the start", "[training][targets]") {
  const TrainingData data = regression(6, 3, 2);
  const auto network = std::make_shared<test::LinearNetwork>(3, 2);
  Trainer trainer(network, data, test::training_options("{loss: square, stop: {steps: 0, epochs: none}}"),
                  Seed(1));
  LastEvaluation observer;
  CHECK(trainer.run(observer) == Outcome::step_limit);
  CHECK(trainer.step() == 0);
  CHECK(observer.last.fit.train_loss ==
        Approx(data.train.targets.square().sum().item<double>() / 6).epsilon(1e-12));
  CHECK(network->weight.eq(0).all().item<bool>());
}
