// Oracles: the targets themselves; a dense evaluation of the formula with LibTorch's matrix products; a
// triangular solve of the theorem's own system for the one-hidden-layer network.
#include "plumb/theory/memorizer.hpp"

#include <cmath>
#include <functional>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using at::Tensor;
using plumb::Seed;
using plumb::theory::memorize_classes;
using plumb::theory::memorize_shallow;
using plumb::theory::memorize_values;
using plumb::theory::MemorizerOptions;

namespace {

at::Generator drawn(const char* purpose) { return Seed(3).stream(purpose); }

Tensor gaussian_inputs(int64_t n, int64_t d = 20) { return at::randn({n, d}, drawn("inputs"), at::kDouble); }

Tensor uniform_targets(int64_t n) { return at::rand({n}, drawn("targets"), at::kDouble) * 2 - 1; }

double largest(const Tensor& difference) { return difference.abs().max().item<double>(); }

std::string data_error_of(const Tensor& inputs, const MemorizerOptions& options = {}) {
  at::Generator generator = drawn("directions");
  try {
    memorize_values(inputs, at::zeros({inputs.size(0)}, at::kDouble), options, generator);
  } catch (const plumb::DataError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("one hidden layer with 2n + d weights takes any values at n inputs", "[theory][memorizer]") {
  for (const int64_t n : {1, 2, 3, 100, 1000}) {
    const Tensor inputs = gaussian_inputs(n);
    const Tensor targets = 10 * at::randn({n}, drawn("targets"), at::kDouble);
    at::Generator generator = drawn("directions");
    const auto network = memorize_shallow(inputs, targets, {}, generator);
    INFO("n = " << n);
    CHECK(network.weight_count() == 2 * n + 20);
    CHECK(largest(network.evaluate(inputs) - targets) < 1e-6);
    const Tensor hidden = (inputs.mv(network.direction).unsqueeze(1) - network.thresholds).relu();
    CHECK(largest(hidden.mv(network.weights) - targets) < 1e-6);
  }
}

TEST_CASE("the linear-time solution is that of the theorem's triangular system", "[theory][memorizer]") {
  const Tensor inputs = gaussian_inputs(40);
  const Tensor targets = uniform_targets(40);
  at::Generator generator = drawn("directions");
  const auto network = memorize_shallow(inputs, targets, {.projections = 1}, generator);
  const auto [z, order] = inputs.mv(network.direction).sort();
  const Tensor system = (z.unsqueeze(1) - network.thresholds).relu();
  // z is computed here by another product, so the zeros above the diagonal are rounding.
  CHECK(largest(system.triu(1)) < 1e-12);
  CHECK(system.diagonal().min().item<double>() > 0);
  const Tensor solved =
      at::linalg_solve(system.tril(), targets.index_select(0, order).unsqueeze(1)).squeeze(1);
  CHECK(largest(solved - network.weights) < 1e-9 * largest(network.weights));
}

TEST_CASE("parity labels and labels that mean nothing are memorized alike", "[theory][memorizer]") {
  // All 1024 corners of the cube: parity is the function that single layers are known to find hard.
  const Tensor bits = at::arange(1024).unsqueeze(1).bitwise_right_shift(at::arange(10)).bitwise_and(1);
  const Tensor parity = bits.sum(1).remainder(2);
  const Tensor random = at::randint(2, {1024}, drawn("labels"), at::kLong);
  for (const Tensor& labels : {parity, random}) {
    at::Generator generator = drawn("directions");
    const auto shallow = memorize_shallow(bits, labels, {}, generator);
    CHECK(largest(shallow.evaluate(bits) - labels) < 1e-4);
    const auto deep = memorize_classes(bits, labels, 2, {}, generator);
    CHECK(deep.evaluate(bits).argmax(1).equal(labels));
  }
}

TEST_CASE("two hidden layers take any values in [-1, 1] at n inputs", "[theory][memorizer]") {
  for (const int64_t n : {1, 2, 4, 5, 64, 1000, 2500}) {
    const Tensor inputs = gaussian_inputs(n);
    const Tensor targets = uniform_targets(n);
    at::Generator generator = drawn("directions");
    const auto network = memorize_values(inputs, targets, {}, generator);
    INFO("n = " << n);
    CHECK(largest(network.evaluate(inputs).squeeze(1) - targets) < 1e-5);
    // The smallest even p with p^2 >= n.
    CHECK(network.groups * network.groups >= n);
    CHECK((network.groups == 2 || (network.groups - 2) * (network.groups - 2) < n));
    const int64_t width = 2 * network.groups;
    CHECK(network.dense_weights() == 20 * width + width + width * width + width + width + 1);
    CHECK(network.distinct_weights() == 20 + width - 1 + network.groups * width);
  }
}

TEST_CASE("two hidden layers take any vectors of [-1, 1]^c, with units for each coordinate",
          "[theory][memorizer]") {
  for (const int64_t c : {1, 2, 3, 7}) {
    const Tensor inputs = gaussian_inputs(150);
    const Tensor targets = uniform_targets(150 * c).view({150, c});
    at::Generator generator = drawn("directions");
    const auto network = memorize_values(inputs, targets, {}, generator);
    INFO("c = " << c);
    CHECK(largest(network.evaluate(inputs) - targets) < 1e-6);
    // p = q = 14 >= sqrt(150); d1 = 2p, d2 = 2qc.
    CHECK(network.layers[0].weight.sizes() == at::IntArrayRef({28, 20}));
    CHECK(network.layers[1].weight.sizes() == at::IntArrayRef({28 * c, 28}));
    CHECK(network.layers[2].weight.sizes() == at::IntArrayRef({c, 28 * c}));
    CHECK(network.dense_weights() == 20 * 28 + 28 + 28 * 28 * c + 28 * c + 28 * c * c + c);
    CHECK(network.distinct_weights() == 20 + 27 + 14 * 28 * c);
    // Other units, other targets: a coordinate is what it is alone.
    at::Generator again = drawn("directions");
    const auto alone = memorize_values(inputs, targets.select(1, c - 1), {}, again);
    CHECK(largest(network.evaluate(inputs).select(1, c - 1) - alone.evaluate(inputs).squeeze(1)) < 1e-9);
  }
}

TEST_CASE("widths for vectors are shared out between the coordinates", "[theory][memorizer]") {
  const Tensor inputs = gaussian_inputs(100);
  const Tensor targets = uniform_targets(200).view({100, 2});
  at::Generator generator = drawn("directions");
  // p = 5, q = 20 for each of two coordinates, 3 units to spare.
  const auto network = memorize_values(inputs, targets, {.widths = std::pair{10, 83}}, generator);
  CHECK(network.group_size == 20);
  CHECK(network.layers[1].weight.size(0) == 83);
  CHECK(largest(network.evaluate(inputs) - targets) < 1e-7);
  CHECK_THROWS_WITH(memorize_values(inputs, targets, {.widths = std::pair{10, 79}}, generator),
                    ContainsSubstring("memorize 90 inputs"));
}

TEST_CASE("the extreme targets -1 and 1 are reached, in any order", "[theory][memorizer]") {
  const Tensor inputs = gaussian_inputs(36);
  const Tensor signs = at::randint(2, {36}, drawn("signs"), at::kDouble) * 2 - 1;
  for (const Tensor& targets : {signs, at::ones({36}, at::kDouble), -at::ones({36}, at::kDouble)}) {
    at::Generator generator = drawn("directions");
    const auto network = memorize_values(inputs, targets, {}, generator);
    CHECK(largest(network.evaluate(inputs).squeeze(1) - targets) < 1e-8);
  }
}

TEST_CASE("widths may be given, and too small ones are refused with what they can do",
          "[theory][memorizer]") {
  const Tensor inputs = gaussian_inputs(100);
  const Tensor targets = uniform_targets(100);
  at::Generator generator = drawn("directions");
  // p = 5, q = 20, with spare units in both layers.
  for (const std::pair<int64_t, int64_t> widths : {std::pair{9, 40}, {10, 43}, {50, 8}}) {
    const auto network = memorize_values(inputs, targets, {.widths = widths}, generator);
    CHECK(network.layers[0].weight.size(0) == widths.first);
    CHECK(network.layers[1].weight.size(0) == widths.second);
    CHECK(largest(network.evaluate(inputs).squeeze(1) - targets) < 1e-7);
  }
  CHECK_THROWS_WITH(memorize_values(inputs, targets, {.widths = std::pair{8, 40}}, generator),
                    ContainsSubstring("memorize 80 inputs") && ContainsSubstring("there are 100"));
}

TEST_CASE("one-hot codes come out for every number of classes", "[theory][memorizer]") {
  for (const int64_t classes : {2, 3, 10}) {
    const Tensor inputs = gaussian_inputs(600).view({600, 4, 5});
    const Tensor labels = at::randint(classes, {600}, drawn("labels"), at::kLong);
    at::Generator generator = drawn("directions");
    const auto network = memorize_classes(inputs, labels, classes, {}, generator);
    const Tensor expected = at::one_hot(labels, classes).to(at::kDouble);
    CHECK(network.layers.size() == 4);
    CHECK(network.layers[2].weight.size(0) == 4 * classes);
    CHECK(largest(network.evaluate(inputs) - expected) < 1e-6);
  }
}

TEST_CASE("in float32 the memorizer of 10,000 inputs knows next to nothing", "[theory][memorizer]") {
  const Tensor inputs = gaussian_inputs(10000);
  const Tensor labels = at::randint(10, {10000}, drawn("labels"), at::kLong);
  at::Generator generator = drawn("directions");
  auto network = memorize_classes(inputs, labels, 10, {}, generator);
  const auto accuracy = [&] {
    return network.evaluate(inputs).argmax(1).eq(labels).to(at::kDouble).mean().item<double>();
  };
  CHECK(accuracy() == 1);
  for (auto& layer : network.layers) layer = {layer.weight.to(at::kFloat), layer.bias.to(at::kFloat)};
  CHECK(accuracy() < 0.5);
}

TEST_CASE("inputs that no projection tells apart are named", "[theory][memorizer]") {
  Tensor inputs = gaussian_inputs(50) * 1e-3;
  inputs[9].copy_(inputs[8]);
  inputs[9][0] = inputs[9][0] + 1e-22;
  inputs[8][0] = 0;
  inputs[9][0] = 1e-22;
  CHECK_THAT(data_error_of(inputs), ContainsSubstring("inputs 8 and 9 have the same projection"));
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    inputs[3][1] = value;
    CHECK_THAT(data_error_of(inputs), ContainsSubstring("input 3 holds values that are not finite"));
  }
  inputs[3][1] = 1e308;
  inputs[3][2] = 1e308;
  CHECK_THAT(data_error_of(inputs), ContainsSubstring("projections of the inputs exceed float64"));
}

TEST_CASE("equal inputs are one point: accepted with one target, refused with two", "[theory][memorizer]") {
  Tensor inputs = gaussian_inputs(30);
  inputs[21].copy_(inputs[4]);
  inputs[25].copy_(inputs[4]);
  inputs[4][0] = 0.0;
  inputs[21][0] = -0.0;
  inputs[25][0] = 0.0;
  Tensor labels = at::randint(3, {30}, drawn("labels"), at::kLong);
  labels[21] = labels[4];
  labels[25] = labels[4];
  const auto classes = [&] {
    at::Generator generator = drawn("directions");
    return memorize_classes(inputs, labels, 3, {}, generator);
  };
  const auto shallow = [&](const Tensor& targets) {
    at::Generator generator = drawn("directions");
    return memorize_shallow(inputs, targets, {}, generator);
  };
  const auto values = [&](const Tensor& targets, const MemorizerOptions& options = {}) {
    at::Generator generator = drawn("directions");
    return memorize_values(inputs, targets, options, generator);
  };
  CHECK(classes().evaluate(inputs).argmax(1).equal(labels));
  CHECK(largest(shallow(labels).evaluate(inputs) - labels) < 1e-9);
  Tensor vectors = uniform_targets(60).view({30, 2});
  vectors[21].copy_(vectors[4]);
  vectors[25].copy_(vectors[4]);
  CHECK(largest(values(vectors).evaluate(inputs) - vectors) < 1e-9);
  // 28 points fit where 30 would not.
  CHECK_NOTHROW(values(vectors, {.widths = std::pair{14, 16}}));

  const char* contradiction =
      "memorizer: inputs 4 and 25 are equal and their targets are not; a function has "
      "one value there";
  labels[25] = (labels[4].item<int64_t>() + 1) % 3;
  vectors[25][1] = vectors[4][1] + 1e-12;
  CHECK_THROWS_WITH(classes(), contradiction);
  CHECK_THROWS_WITH(shallow(labels), contradiction);
  CHECK_THROWS_WITH(values(vectors), contradiction);
  CHECK_THROWS_AS(shallow(at::full({30}, NAN)), plumb::DataError);
}

TEST_CASE("a network that does not memorize in float64 is refused, naming the nearest inputs",
          "[theory][memorizer]") {
  // Of all gaps between the inputs that float64 can hold, none may come back as a network that is wrong.
  int refused = 0, built = 0;
  for (const double gap : {1e-15, 1e-14, 1e-13, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4})
    for (const int64_t n : {8, 60}) {
      Tensor inputs = gaussian_inputs(n);
      inputs[5] = inputs[2] * (1 + gap);
      Tensor labels = at::randint(2, {n}, drawn("labels"), at::kLong);
      labels[5] = 1 - labels[2].item<int64_t>();
      const auto attempt = [&](const std::function<bool()>& right) {
        INFO(gap << " " << n);
        try {
          const bool memorized = right();
          CHECK(memorized);
          ++built;
        } catch (const plumb::DataError& error) {
          CHECK_THAT(error.what(), ContainsSubstring("inputs 2 and 5"));
          ++refused;
        }
      };
      at::Generator generator = drawn("directions");
      attempt([&] {
        return memorize_classes(inputs, labels, 2, {}, generator).evaluate(inputs).argmax(1).equal(labels);
      });
      attempt([&] {
        return largest(memorize_shallow(inputs, labels, {}, generator).evaluate(inputs) - labels) <= 1e-2;
      });
      const Tensor vectors = at::stack({labels, 1 - labels}, 1).to(at::kDouble);
      attempt([&] {
        return largest(memorize_values(inputs, vectors, {}, generator).evaluate(inputs) - vectors) <= 1e-2;
      });
    }
  CHECK(refused >= 8);
  CHECK(built >= 24);
}

TEST_CASE("the refusal says how many are wrong and how near the two lie", "[theory][memorizer]") {
  Tensor inputs = gaussian_inputs(60);
  inputs[5] = inputs[2] * (1 + 1e-15);
  Tensor labels = at::randint(2, {60}, drawn("labels"), at::kLong);
  labels[5] = 1 - labels[2].item<int64_t>();
  at::Generator generator = drawn("directions");
  CHECK_THROWS_WITH(
      memorize_classes(inputs, labels, 2, {}, generator),
      Catch::Matchers::Matches("memorizer: in float64 the network gets [0-9]+ of 60 inputs wrong; "
                               "inputs 2 and 5 lie only .*e-1[345] apart along the line.*"));
}

TEST_CASE("a memorizer refuses what it cannot mean", "[theory][memorizer]") {
  at::Generator generator = drawn("directions");
  const Tensor inputs = gaussian_inputs(5);
  CHECK_THROWS_AS(memorize_values(inputs, at::full({5}, 1.5), {}, generator), plumb::ContractError);
  CHECK_THROWS_AS(memorize_values(inputs, at::zeros({4}), {}, generator), plumb::ContractError);
  CHECK_THROWS_AS(memorize_shallow(inputs, at::zeros({4}), {}, generator), plumb::ContractError);
  CHECK_THROWS_AS(memorize_shallow(at::zeros({0, 3}), at::zeros({0}), {}, generator), plumb::ContractError);
  CHECK_THROWS_AS(memorize_classes(inputs, at::full({5}, 3, at::kLong), 3, {}, generator),
                  plumb::ContractError);
  CHECK_THROWS_AS(memorize_classes(inputs, at::zeros({5}, at::kLong), 1, {}, generator),
                  plumb::ContractError);
}
