// Oracle: loops over single examples.
#include "plumb/training/evaluation.hpp"

#include "support/catch.hpp"
#include "support/problems.hpp"

using namespace plumb;

TEST_CASE("an evaluation counts clean and corrupted examples apart", "[training][evaluation]") {
  const TrainingData data = test::random_data(23, 5, 3, 9);
  test::LinearNetwork network(5, 3);
  at::Generator generator = Seed(2).stream("weights");
  {
    const torch::NoGradGuard no_grad;
    network.weight.copy_(torch::randn({3, 5}, generator, torch::kDouble));
  }
  network.weight.mutable_grad() = torch::ones({3, 5}, torch::kDouble);
  const Loss loss = test::training_options("loss: square").loss.make();
  const Fit fit = evaluate(network, data, loss, 7);

  double loss_sum = 0, hits = 0, clean_hits = 0, memorized = 0, recovered = 0, test_hits = 0;
  for (int64_t i = 0; i < 23; ++i) {
    const Tensor output = network.weight.detach().mv(data.train.inputs[i]);
    const int64_t label = data.train.targets[i].item<int64_t>(), guess = output.argmax().item<int64_t>();
    for (int64_t j = 0; j < 3; ++j) loss_sum += std::pow(output[j].item<double>() - (j == label ? 1 : 0), 2);
    hits += guess == label;
    (i < 9 ? memorized : clean_hits) += guess == label;
    if (i < 9) recovered += guess == data.clean_targets[i].item<int64_t>();
  }
  for (int64_t i = 0; i < 11; ++i)
    test_hits += network.weight.detach().mv(data.test.inputs[i]).argmax().item<int64_t>() ==
                 data.test.targets[i].item<int64_t>();
  CHECK(fit.train_loss == Approx(loss_sum / 23).epsilon(1e-12));
  CHECK(fit.train_accuracy == Approx(hits / 23));
  CHECK(fit.clean_accuracy == Approx(clean_hits / 14));
  CHECK(fit.memorization == Approx(memorized / 9));
  CHECK(fit.recovery == Approx(recovered / 9));
  CHECK(fit.test_accuracy == Approx(test_hits / 11));
  // The network is as it was.
  CHECK(network.is_training());
  CHECK(network.weight.grad().equal(torch::ones({3, 5}, torch::kDouble)));
}

TEST_CASE("fractions of nothing are not numbers", "[training][evaluation]") {
  TrainingData data = test::random_data(6, 2, 2);
  data.test = {};
  test::LinearNetwork network(2, 2);
  const Fit fit = evaluate(network, data, test::training_options("{}").loss.make(), 100);
  CHECK(fit.clean_accuracy == fit.train_accuracy);
  CHECK(std::isnan(fit.memorization));
  CHECK(std::isnan(fit.recovery));
  CHECK(std::isnan(fit.test_accuracy));
}
