// Oracle: a set of twelve examples whose inputs carry their position.
#include "plumb/data/subset.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using plumb::ConfigError;
using plumb::Dataset;
using plumb::Seed;
using plumb::SubsetOptions;

namespace {

/// Labels 0 1 2 0 1 2 ...; the input of example i is the vector (i).
Dataset twelve() {
  Dataset dataset;
  const auto positions = torch::arange(12, at::kLong);
  dataset.train = {positions.to(at::kFloat).unsqueeze(1), positions.remainder(3)};
  dataset.test = {positions.to(at::kFloat).unsqueeze(1) + 100, positions.remainder(3)};
  dataset.num_classes = 3;
  dataset.class_names = {"ant", "bee", "cat"};
  return dataset;
}

std::vector<float> positions(const plumb::Examples& examples) {
  const auto flat = examples.inputs.flatten().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

}  // namespace

TEST_CASE("chosen classes keep their examples in order and are renumbered in the order given",
          "[data][subset]") {
  const Dataset chosen = subset(twelve(), {.classes = {"cat", "0"}}, Seed(1));
  CHECK(positions(chosen.train) == std::vector<float>{0, 2, 3, 5, 6, 8, 9, 11});
  CHECK(chosen.train.targets.equal(torch::tensor({1, 0, 1, 0, 1, 0, 1, 0}, at::kLong)));
  CHECK(chosen.test.size() == 8);
  CHECK(chosen.num_classes == 2);
  CHECK(chosen.class_names == std::vector<std::string>{"cat", "ant"});
}

TEST_CASE("a number of examples is drawn without repetition and keeps the file's order", "[data][subset]") {
  const Dataset chosen = subset(twelve(), {.train_examples = 7, .test_examples = 5}, Seed(1));
  const auto kept = positions(chosen.train);
  REQUIRE(kept.size() == 7);
  CHECK(std::adjacent_find(kept.begin(), kept.end(), std::greater_equal<>()) == kept.end());
  CHECK(chosen.train.targets.equal(chosen.train.inputs.flatten().to(at::kLong).remainder(3)));
  CHECK(chosen.test.size() == 5);
  CHECK(positions(subset(twelve(), {.train_examples = 7}, Seed(1)).train) == kept);
  CHECK(positions(subset(twelve(), {.train_examples = 7}, Seed(2)).train) != kept);
}

TEST_CASE("every example is equally likely to be kept", "[data][subset]") {
  // 3,000 seeds, 4 of 12: each count is binomial(3000, 1/3); six standard errors fail once in 4e7 tests.
  auto counts = torch::zeros({12}, at::kDouble);
  for (uint64_t seed = 0; seed < 3000; ++seed)
    counts.index_add_(
        0, subset(twelve(), {.train_examples = 4}, Seed(seed)).train.inputs.flatten().to(at::kLong),
        torch::ones({4}, at::kDouble));
  CHECK((counts - 1000).abs().max().item<double>() < 6 * std::sqrt(3000 * 2.0 / 9));
}

TEST_CASE("the test examples do not depend on how many training examples are kept", "[data][subset]") {
  const Dataset few = subset(twelve(), {.train_examples = 2, .test_examples = 3}, Seed(4));
  const Dataset all = subset(twelve(), {.test_examples = 3}, Seed(4));
  CHECK(few.test.inputs.equal(all.test.inputs));
}

TEST_CASE("a subset that cannot be is refused", "[data][subset]") {
  CHECK_THROWS_WITH(subset(twelve(), {.classes = {"cow"}}, Seed(1)),
                    ContainsSubstring("unknown class 'cow'"));
  CHECK_THROWS_WITH(subset(twelve(), {.classes = {"3"}}, Seed(1)), ContainsSubstring("unknown class '3'"));
  CHECK_THROWS_WITH(subset(twelve(), {.classes = {"bee", "1"}}, Seed(1)),
                    ContainsSubstring("'1' is given twice"));
  CHECK_THROWS_WITH(subset(twelve(), {.classes = {"bee"}, .train_examples = 5}, Seed(1)),
                    "data.subset.train_examples: 5 asked for; the classes chosen have 4");
  CHECK_THROWS_AS(subset(twelve(), {.test_examples = 13}, Seed(1)), ConfigError);
}
