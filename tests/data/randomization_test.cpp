// Oracle: what each setting leaves unchanged (sets of pixels, the test labels), and binomial and normal
// statistics. Each statistical bound is six standard errors wide: a right program fails it with probability
// below 2e-9 per number checked (and the seeds are fixed).
#include "plumb/data/randomization.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/config.hpp"

using plumb::Problem;
using plumb::Seed;

namespace {

/// n + 8 images of 3 x 4 x 5 with ten classes; pixel values are all different within a channel, and channel c
/// is channel 0 plus c, so that it shows whether channels move together.
Problem images(int64_t n) {
  const auto generator = Seed(77).stream("test");
  const auto make = [&](int64_t count) {
    const auto first = torch::rand({count, 1, 4, 5}, generator, at::kDouble);
    return plumb::Examples{torch::cat({first, first + 1, first + 2}, 1), torch::arange(count).remainder(10)};
  };
  plumb::Dataset dataset;
  dataset.train = make(n);
  dataset.test = make(8);
  dataset.num_classes = 10;
  return make_problem(dataset, {}, at::kDouble);
}

void randomize(Problem& problem, const std::string& name, const std::string& options = "{}",
               uint64_t seed = 1) {
  auto entry = plumb::randomizations().at(name);
  const plumb::Config config = plumb::Config::parse(options);
  plumb::FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  entry->make().apply(problem, Seed(seed));
}

double fraction_of(const torch::Tensor& mask) { return mask.to(at::kDouble).mean().item<double>(); }

/// (n, 20) of the first channel, sorted.
torch::Tensor sorted_pixels(const torch::Tensor& inputs) {
  return std::get<0>(inputs.select(1, 0).flatten(1).sort(1));
}

void check_channels_together(const torch::Tensor& inputs) {
  CHECK(inputs.select(1, 1).allclose(inputs.select(1, 0) + 1));
  CHECK(inputs.select(1, 2).allclose(inputs.select(1, 0) + 2));
}

}  // namespace

TEST_CASE("the six settings of Zhang et al. are there and true labels change nothing",
          "[data][randomization]") {
  CHECK(plumb::randomizations().names() == std::vector<std::string>{"corrupted_labels", "gaussian_pixels",
                                                                    "random_labels", "random_pixels",
                                                                    "shuffled_pixels", "true_labels"});
  const Problem before = images(50);
  Problem problem = before;
  randomize(problem, "true_labels");
  CHECK(problem.train.targets.equal(before.train.targets));
  CHECK(problem.train.inputs.equal(before.train.inputs));
  CHECK_FALSE(problem.redrawn.any().item<bool>());
  CHECK_FALSE(problem.corrupted().any().item<bool>());
}

TEST_CASE("labels corrupted uniformly are redrawn with probability p and differ with p 9/10",
          "[data][randomization]") {
  const double n = 50000;
  Problem problem = images(50000);
  const auto inputs = problem.train.inputs.clone(), test_labels = problem.test.targets.clone();
  randomize(problem, "corrupted_labels", "{probability: 0.4}");
  CHECK(std::abs(fraction_of(problem.redrawn) - 0.4) < 6 * std::sqrt(0.4 * 0.6 / n));
  CHECK(std::abs(fraction_of(problem.corrupted()) - 0.36) < 6 * std::sqrt(0.36 * 0.64 / n));
  CHECK_FALSE(problem.corrupted().logical_and(problem.redrawn.logical_not()).any().item<bool>());
  // Redrawn labels are uniform on the ten classes, whatever the class was: 100 cells of 2,000 each.
  const auto drawn = problem.train.targets.index({problem.redrawn});
  const auto clean = problem.clean_targets.index({problem.redrawn});
  const auto cells = (clean * 10 + drawn).bincount({}, 100).to(at::kDouble) / n;
  CHECK((cells - 0.004).abs().max().item<double>() < 6 * std::sqrt(0.004 / n));
  CHECK(problem.test.targets.equal(test_labels));
  CHECK(problem.train.inputs.equal(inputs));
}

TEST_CASE("labels corrupted to a different class all differ", "[data][randomization]") {
  const double n = 50000;
  Problem problem = images(50000);
  randomize(problem, "corrupted_labels", "{probability: 0.4, replacement: different}");
  CHECK(problem.corrupted().equal(problem.redrawn));
  CHECK(std::abs(fraction_of(problem.redrawn) - 0.4) < 6 * std::sqrt(0.4 * 0.6 / n));
  const auto shift =
      (problem.train.targets - problem.clean_targets).remainder(10).bincount({}, 10).to(at::kDouble) / n;
  for (int64_t k = 1; k < 10; ++k)
    CHECK(std::abs(shift[k].item<double>() - 0.4 / 9) < 6 * std::sqrt(0.4 / 9 / n));
}

TEST_CASE("probability 0 redraws no label, 1 every label, and random labels are the latter",
          "[data][randomization]") {
  Problem none = images(200), all = images(200), random = images(200);
  randomize(none, "corrupted_labels", "{probability: 0}");
  randomize(all, "corrupted_labels", "{probability: 1}");
  randomize(random, "random_labels");
  CHECK_FALSE(none.redrawn.any().item<bool>());
  CHECK(none.train.targets.equal(none.clean_targets));
  CHECK(all.redrawn.all().item<bool>());
  CHECK(random.redrawn.all().item<bool>());
  CHECK(random.train.targets.equal(all.train.targets));
}

TEST_CASE("labels redrawn at a small probability are among those at a larger one", "[data][randomization]") {
  Problem few = images(1000), many = images(1000), other = images(1000);
  randomize(few, "corrupted_labels", "{probability: 0.2}");
  randomize(many, "corrupted_labels", "{probability: 0.7}");
  randomize(other, "corrupted_labels", "{probability: 0.2}", 2);
  CHECK_FALSE(few.redrawn.logical_and(many.redrawn.logical_not()).any().item<bool>());
  CHECK(few.train.targets.index({few.redrawn}).equal(many.train.targets.index({few.redrawn})));
  CHECK_FALSE(few.redrawn.equal(other.redrawn));
}

TEST_CASE("shuffled pixels move every image by the same permutation", "[data][randomization]") {
  const Problem before = images(30);
  Problem problem = before;
  randomize(problem, "shuffled_pixels");
  // Where the pixels of the first image went tells where all must have gone.
  const auto target = problem.train.inputs[0][0].flatten(), source = before.train.inputs[0][0].flatten();
  const auto moved = target.unsqueeze(1).eq(source.unsqueeze(0)).to(at::kLong).argmax(1);
  CHECK(std::get<0>(moved.sort()).equal(torch::arange(20)));
  CHECK_FALSE(moved.equal(torch::arange(20)));
  CHECK(problem.train.inputs.flatten(2).equal(before.train.inputs.flatten(2).index_select(2, moved)));
  CHECK(problem.test.inputs.flatten(2).equal(before.test.inputs.flatten(2).index_select(2, moved)));
  CHECK(problem.train.targets.equal(before.train.targets));
}

TEST_CASE("random pixels permute each image in its own way", "[data][randomization]") {
  const Problem before = images(3000);
  const auto original = before.train.inputs.clone();
  Problem problem = before;
  randomize(problem, "random_pixels");
  CHECK(before.train.inputs.equal(original));
  CHECK(sorted_pixels(problem.train.inputs).equal(sorted_pixels(before.train.inputs)));
  CHECK(sorted_pixels(problem.test.inputs).equal(sorted_pixels(before.test.inputs)));
  check_channels_together(problem.train.inputs);
  check_channels_together(problem.test.inputs);
  // Uniform permutations: the pixel at a position comes from each of 20 positions equally often.
  const auto target = problem.train.inputs.select(1, 0).flatten(1),
             source = before.train.inputs.select(1, 0).flatten(1);
  const auto from = target.unsqueeze(2).eq(source.unsqueeze(1)).to(at::kDouble).mean({0});  // (20, 20)
  CHECK((from - 0.05).abs().max().item<double>() < 6 * std::sqrt(0.05 * 0.95 / 3000));
  // Independent: two positions that are neighbors in one image are so in the next no more often than by
  // chance.
  const auto where = target.unsqueeze(2).eq(source.unsqueeze(1)).to(at::kLong).argmax(2);  // (n, 20)
  const double same = fraction_of(where.narrow(0, 0, 2999).eq(where.narrow(0, 1, 2999)));
  CHECK(std::abs(same - 0.05) < 6 * std::sqrt(0.05 * 0.95 / (2999 * 19)));
}

TEST_CASE("gaussian pixels have each channel's mean and deviation and nothing of the images",
          "[data][randomization]") {
  const int64_t n = 2000;
  const Problem before = images(n);
  Problem problem = before;
  randomize(problem, "gaussian_pixels");
  const double count = static_cast<double>(n) * 20;
  for (int64_t c = 0; c < 3; ++c) {
    const auto drawn = problem.train.inputs.select(1, c).flatten();
    const auto given = before.train.inputs.select(1, c);
    const double mean = given.mean().item<double>(), deviation = given.std(false).item<double>();
    CHECK(std::abs(drawn.mean().item<double>() - mean) < 6 * deviation / std::sqrt(count));
    CHECK(std::abs(drawn.std(false).item<double>() - deviation) < 6 * deviation / std::sqrt(2 * count));
    const auto scores = (drawn - mean) / deviation;
    CHECK(std::abs(fraction_of(scores.abs().lt(1)) - 0.6826894921) < 6 * std::sqrt(0.6827 * 0.3173 / count));
    const auto correlation = (scores * (given.flatten() - mean) / deviation).mean().item<double>();
    CHECK(std::abs(correlation) < 6 / std::sqrt(count));
  }
  CHECK(std::abs(problem.test.inputs.select(1, 2).mean().item<double>() - 2.5) <
        6 * 0.2887 / std::sqrt(8 * 20.0));
  CHECK(problem.train.inputs.sizes() == before.train.inputs.sizes());
}

TEST_CASE("vectors are randomized as images of one channel, and the data set stays as it was",
          "[data][randomization]") {
  plumb::Dataset dataset;
  dataset.train = {torch::rand({40, 12}, Seed(1).stream("test"), at::kFloat), torch::zeros({40}, at::kLong)};
  dataset.num_classes = 2;
  const auto original = dataset.train.inputs.clone();
  for (const std::string name : {"shuffled_pixels", "random_pixels", "gaussian_pixels"}) {
    INFO(name);
    Problem problem = make_problem(dataset, {}, at::kFloat);
    randomize(problem, name);
    CHECK(problem.train.inputs.sizes() == original.sizes());
    CHECK_FALSE(problem.train.inputs.equal(original));
    if (name != "gaussian_pixels")
      CHECK(std::get<0>(problem.train.inputs.sort(1)).equal(std::get<0>(original.sort(1))));
    CHECK(dataset.train.inputs.equal(original));
  }
}

TEST_CASE("a randomization repeats with the seed and differs without it", "[data][randomization]") {
  for (const std::string name : {"random_labels", "shuffled_pixels", "random_pixels", "gaussian_pixels"}) {
    INFO(name);
    Problem once = images(20), again = images(20), other = images(20);
    randomize(once, name, "{}", 5);
    randomize(again, name, "{}", 5);
    randomize(other, name, "{}", 6);
    CHECK((once.train.inputs.equal(again.train.inputs) && once.train.targets.equal(again.train.targets)));
    CHECK_FALSE(
        (once.train.inputs.equal(other.train.inputs) && once.train.targets.equal(other.train.targets)));
  }
}

TEST_CASE("one class leaves no different label to draw", "[data][randomization]") {
  Problem problem = images(5);
  problem.num_classes = 1;
  CHECK_THROWS_AS(randomize(problem, "corrupted_labels", "{replacement: different}"), plumb::ConfigError);
}

TEST_CASE("real targets are redrawn from those of the training set", "[data][randomization]") {
  const int64_t n = 20000;
  plumb::Dataset dataset;
  dataset.train = {torch::zeros({n, 2}), torch::arange(n, at::kDouble)};  // all different
  Problem problem = make_problem(dataset, {}, at::kDouble);
  CHECK(problem.train.targets.sizes() == at::IntArrayRef({n, 1}));
  randomize(problem, "corrupted_labels", "{probability: 0.3}");
  CHECK(std::abs(fraction_of(problem.redrawn) - 0.3) < 6 * std::sqrt(0.3 * 0.7 / static_cast<double>(n)));
  CHECK_FALSE(problem.corrupted().logical_and(problem.redrawn.logical_not()).any().item<bool>());
  const auto drawn = problem.train.targets.index({problem.redrawn});
  CHECK(drawn.eq(drawn.floor()).logical_and(drawn.ge(0)).logical_and(drawn.lt(n)).all().item<bool>());
  // Uniform over the n targets: mean (n - 1)/2, variance (n^2 - 1)/12.
  const double count = static_cast<double>(drawn.numel()), size = static_cast<double>(n);
  CHECK(std::abs(drawn.mean().item<double>() - (size - 1) / 2) < 6 * size / std::sqrt(12 * count));
  CHECK_THROWS_WITH(randomize(problem, "corrupted_labels", "{replacement: different}"),
                    "replacement: different; the targets are real numbers, not classes");
}

TEST_CASE("two classes become signs, before and after randomization, and nothing else does",
          "[data][targets]") {
  plumb::Dataset dataset;
  dataset.train = {torch::zeros({4, 3}), torch::tensor({0, 1, 1, 0})};
  dataset.test = {torch::zeros({2, 3}), torch::tensor({1, 0})};
  dataset.num_classes = 2;
  Problem problem = make_problem(dataset, {}, at::kFloat);
  problem.train.targets = torch::tensor({1, 1, 1, 0});  // one label changed
  encode_targets(problem, plumb::TargetEncoding::signs);
  CHECK(problem.train.targets.equal(torch::tensor({{1.0F}, {1.0F}, {1.0F}, {-1.0F}})));
  CHECK(problem.test.targets.equal(torch::tensor({{1.0F}, {-1.0F}})));
  CHECK(problem.corrupted().equal(torch::tensor({true, false, false, false})));
  CHECK(problem.num_classes == 0);
  encode_targets(problem, plumb::TargetEncoding::signs);  // they are already
  Problem ten = images(20);
  CHECK_THROWS_WITH(encode_targets(ten, plumb::TargetEncoding::signs), ContainsSubstring("10 classes"));
  problem.train.targets.mul_(2);
  CHECK_THROWS_WITH(encode_targets(problem, plumb::TargetEncoding::signs),
                    ContainsSubstring("real numbers that are not +-1"));
}
