// Oracle: the losses' definitions, summed by hand in plain doubles.
#include "plumb/objective/loss.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {
Loss make_loss(const std::string& yaml) {
  struct Options {
    Choice<Loss()> loss{losses()};
    void fields(Fields& f) { f.component("loss", loss, ""); }
  };
  return read_options<Options>(Config::parse("loss: " + yaml)).loss.make();
}

const Tensor outputs = torch::tensor({{1.0, -2.0, 0.5}, {0.0, 3.0, -1.0}}, torch::kDouble);
const Tensor classes = torch::tensor({2, 1}, torch::kLong);
}  // namespace

TEST_CASE("cross-entropy is the negative log softmax at the label", "[objective][loss]") {
  const double first = std::log(std::exp(1.0) + std::exp(-2.0) + std::exp(0.5)) - 0.5;
  const double second = std::log(std::exp(0.0) + std::exp(3.0) + std::exp(-1.0)) - 3.0;
  CHECK(make_loss("cross_entropy").sum(outputs, classes).item<double>() ==
        Approx(first + second).epsilon(1e-14));
}

TEST_CASE("the square loss is the squared distance to the one-hot target", "[objective][loss]") {
  const double sum = 1 + 4 + 0.25 + 0 + 4 + 1;
  CHECK(make_loss("square").sum(outputs, classes).item<double>() == Approx(sum).epsilon(1e-14));
  CHECK(make_loss("{type: square, factor: 0.5}").sum(outputs, classes).item<double>() ==
        Approx(sum / 2).epsilon(1e-14));
}

TEST_CASE("the reduction decides what a set of examples counts", "[objective][loss]") {
  CHECK(make_loss("square").scale(8) == 0.125);
  CHECK(make_loss("{type: square, reduction: sum}").scale(8) == 1);
}

TEST_CASE("the square loss of real targets is the squared distance to them", "[objective][loss]") {
  const Tensor targets = torch::tensor({{0.5, 0.0, 1.0}, {-1.0, 2.0, 0.0}}, torch::kDouble);
  const double sum = 0.25 + 4 + 0.25 + 1 + 1 + 1;
  CHECK(make_loss("square").sum(outputs, targets).item<double>() == Approx(sum).epsilon(1e-14));
  // Of shapes (2, 1) and (2), subtraction would make a table of 2 x 2.
  CHECK_THROWS_WITH(make_loss("square").sum(outputs.narrow(1, 0, 1), targets.select(1, 0)),
                    ContainsSubstring("outputs of shape (2, 1), targets of shape (2)"));
}

TEST_CASE("a loss says which targets it takes and whether it is least squares", "[objective][loss]") {
  const Loss square = make_loss("{type: square, factor: 0.5}"), entropy = make_loss("cross_entropy");
  CHECK(square.takes(TargetKind::classes));
  CHECK(square.takes(TargetKind::real));
  CHECK(square.square_factor == 0.5);
  CHECK(entropy.takes(TargetKind::classes));
  CHECK_FALSE(entropy.takes(TargetKind::real));
  CHECK_FALSE(entropy.square_factor.has_value());
}

TEST_CASE("what is right follows from the targets", "[objective][targets]") {
  const Tensor signs = torch::tensor({{1.0}, {-1.0}, {1.0}}, torch::kDouble);
  const Tensor h = torch::tensor({{0.3}, {0.2}, {0.0}}, torch::kDouble);
  CHECK(decision_for(signs) == Decision::sign);
  CHECK(correct(Decision::sign, h, signs).equal(torch::tensor({true, false, false})));
  CHECK(correct_count(Decision::sign, h, signs).item<double>() == 1);
  CHECK(decision_for(classes) == Decision::largest_output);
  CHECK(correct(Decision::largest_output, outputs, classes).equal(torch::tensor({false, true})));
  const Tensor one_hot = torch::tensor({{1.0, 0.0, 0.0}, {0.0, 0.0, 1.0}}, torch::kDouble);
  CHECK(decision_for(one_hot) == Decision::largest_output);
  CHECK(correct(Decision::largest_output, outputs, one_hot).equal(torch::tensor({true, false})));
  for (const Tensor& real : {one_hot * 2, one_hot + 1, torch::ones({2, 3}), signs * 3, torch::zeros({0, 1})})
    CHECK(decision_for(real) == Decision::none);
  CHECK(std::isnan(correct_count(Decision::none, outputs, one_hot * 2).item<double>()));
  CHECK_THROWS_AS(correct(Decision::none, outputs, one_hot), ContractError);
}

TEST_CASE("targets differ example by example", "[objective][targets]") {
  const Tensor real = torch::tensor({{1.0, 2.0}, {3.0, 4.0}}, torch::kDouble);
  Tensor other = real.clone();
  other[1][0] = 5;
  CHECK(targets_differ(real, other).equal(torch::tensor({false, true})));
  CHECK(targets_differ(classes, torch::tensor({2, 2}, torch::kLong)).equal(torch::tensor({false, true})));
}
