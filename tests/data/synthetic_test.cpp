// Oracle: moments and error rates known in closed form. Each statistical bound is six standard errors wide: a
// right program fails it with probability below 2e-9 (and the seeds are fixed).
#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/config.hpp"
#include "plumb/data/dataset.hpp"

using plumb::Config;
using plumb::Dataset;

namespace {

Dataset synthetic(const std::string& name, const std::string& options, uint64_t seed = 1) {
  auto entry = plumb::datasets().at(name);
  const Config config = Config::parse(options);
  plumb::FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  return entry->make({"", plumb::Seed(seed)});
}

}  // namespace

TEST_CASE("points on the sphere have norm one, no preferred direction and fair labels", "[data][sphere]") {
  const int64_t n = 20000, d = 5;
  const Dataset dataset =
      synthetic("sphere", "{train_examples: 20000, test_examples: 3, dimension: 5, classes: 4}");
  const auto inputs = dataset.train.inputs.to(at::kDouble);
  CHECK(dataset.train.inputs.scalar_type() == at::kDouble);
  CHECK(dataset.train.inputs.sizes() == at::IntArrayRef({n, d}));
  CHECK(dataset.test.inputs.sizes() == at::IntArrayRef({3, d}));
  CHECK((inputs.norm(2, {1}) - 1).abs().max().item<double>() < 1e-15);
  // Coordinates: mean 0, second moments I/d; var(x_i) = 1/d, var(x_i^2) = 2(d-1)/(d^2(d+2)), var(x_i x_j) =
  // 1/(d(d+2)).
  CHECK(inputs.mean({0}).abs().max().item<double>() < 6 * std::sqrt(1.0 / d / n));
  const auto second = inputs.t().matmul(inputs).div(n).sub(torch::eye(d, at::kDouble) / d).abs();
  CHECK(second.max().item<double>() < 6 * std::sqrt(2.0 * (d - 1) / (d * d * (d + 2)) / n));
  const auto counts = dataset.train.targets.bincount({}, 4).to(at::kDouble).div(n);
  CHECK((counts - 0.25).abs().max().item<double>() < 6 * std::sqrt(0.25 * 0.75 / n));
  CHECK(dataset.num_classes == 4);
}

TEST_CASE("a synthetic set is the same for the same seed and another for another", "[data][sphere]") {
  for (const std::string name : {"sphere", "gaussian", "gaussian_mixture", "teacher"}) {
    INFO(name);
    const Dataset once = synthetic(name, "{}", 5), again = synthetic(name, "{}", 5),
                  other = synthetic(name, "{}", 6);
    CHECK(once.train.inputs.equal(again.train.inputs));
    CHECK(once.train.targets.equal(again.train.targets));
    CHECK_FALSE(once.train.inputs.equal(other.train.inputs));
    CHECK_FALSE(once.train.targets.equal(other.train.targets));
    CHECK(synthetic(name, "{test_examples: 0}").test.size() == 0);
  }
}

TEST_CASE("the nearest mean errs at the stated Bayes rate on a mixture of two Gaussians",
          "[data][gaussian_mixture]") {
  const double n = 40000, separation = 2.5;
  const Dataset dataset =
      synthetic("gaussian_mixture", "{train_examples: 40000, dimension: 6, classes: 2, separation: 2.5}");
  const auto x = dataset.train.inputs.to(at::kDouble);
  const auto guess = x.select(1, 1).gt(x.select(1, 0)).to(at::kLong);
  const double error = guess.ne(dataset.train.targets).to(at::kDouble).mean().item<double>();
  const double bayes = 0.5 * std::erfc(separation / 2 / std::sqrt(2.0));  // Phi(-separation/2)
  CHECK(std::abs(error - bayes) < 6 * std::sqrt(bayes * (1 - bayes) / n));
}

TEST_CASE("class means of a mixture lie equally far apart and the noise is white",
          "[data][gaussian_mixture]") {
  const Dataset dataset =
      synthetic("gaussian_mixture", "{train_examples: 60000, dimension: 4, classes: 3, separation: 5}");
  const auto x = dataset.train.inputs.to(at::kDouble);
  std::vector<torch::Tensor> means;
  for (int64_t k = 0; k < 3; ++k) {
    const auto own = x.index({dataset.train.targets.eq(k)});
    means.push_back(own.mean(0));
    const auto centered = own - means.back();
    const auto off = centered.t().matmul(centered).div(own.size(0)).sub(torch::eye(4, at::kDouble)).abs();
    CHECK(off.max().item<double>() < 6 * std::sqrt(2.0 / 19000));
  }
  // A distance of two means of 20,000: its error is below the length of the mean errors, chi with 4 degrees
  // twice.
  for (const auto& [i, j] : {std::pair{0, 1}, {0, 2}, {1, 2}})
    CHECK((means[i] - means[j]).norm().item<double>() == Approx(5).margin(6 * std::sqrt(2.0 / 19000)));
}

TEST_CASE("more classes than dimensions are refused for a mixture", "[data][gaussian_mixture]") {
  CHECK_THROWS_WITH(synthetic("gaussian_mixture", "{dimension: 2, classes: 3}"),
                    "data.dimension: 2; 3 classes need at least as many dimensions");
}

TEST_CASE("a teacher's labels depend on the input's direction alone and no class vanishes",
          "[data][teacher]") {
  const Dataset dataset = synthetic(
      "teacher", "{train_examples: 4000, test_examples: 4000, dimension: 3, classes: 3, width: 64}");
  CHECK((dataset.train.inputs.norm(2, {1}) - 1).abs().max().item<double>() < 1e-5);
  const auto counts = dataset.train.targets.bincount({}, 3);
  CHECK(counts.size(0) == 3);
  CHECK(counts.min().item<int64_t>() > 200);
  // A function with a boundary of dimension 1 on a sphere of dimension 2: nearest neighbors agree almost
  // always, whereas labels without a rule would agree one time in three.
  const auto similarity = dataset.test.inputs.matmul(dataset.train.inputs.t());
  const auto neighbor = dataset.train.targets.index_select(0, similarity.argmax(1));
  CHECK(neighbor.eq(dataset.test.targets).to(at::kDouble).mean().item<double>() > 0.9);
}

TEST_CASE("points and targets of the gaussian set have the moments asked for", "[data][gaussian]") {
  const double n = 40000;
  const Dataset dataset =
      synthetic("gaussian", "{train_examples: 40000, dimension: 3, std: 2, targets: normal, outputs: 2}");
  CHECK(dataset.num_classes == 0);
  CHECK(dataset.train.targets.sizes() == at::IntArrayRef({40000, 2}));
  const auto columns = torch::cat({dataset.train.inputs / 2, dataset.train.targets}, 1);
  CHECK(columns.mean(0).abs().max().item<double>() < 6 / std::sqrt(n));
  const auto off = columns.t().matmul(columns).div(n).sub(torch::eye(5, at::kDouble)).abs();
  CHECK(off.max().item<double>() < 6 * std::sqrt(2 / n));
}

TEST_CASE("signs are -1 and 1 with equal probability", "[data][sphere]") {
  const double n = 20000;
  const Dataset dataset = synthetic("sphere", "{train_examples: 20000, dimension: 3, targets: signs}");
  CHECK(dataset.train.targets.sizes() == at::IntArrayRef({20000, 1}));
  CHECK(dataset.train.targets.abs().eq(1).all().item<bool>());
  CHECK(std::abs(dataset.train.targets.mean().item<double>()) < 6 / std::sqrt(n));
  CHECK(plumb::decision_for(dataset.train.targets) == plumb::Decision::sign);
}

TEST_CASE("a teacher's real targets are outputs whose largest is its class", "[data][teacher]") {
  const std::string size = "train_examples: 50, dimension: 3, classes: 4, width: 5";
  const Dataset classes = synthetic("teacher", "{" + size + "}"),
                real = synthetic("teacher", "{" + size + ", targets: real}");
  CHECK(real.num_classes == 0);
  CHECK(real.train.inputs.equal(classes.train.inputs));
  CHECK(real.train.targets.argmax(1).equal(classes.train.targets));
}
