// Oracle: the losses' definitions, summed by hand in plain doubles.
#include "plumb/training/loss.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

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
const Tensor labels = torch::tensor({2, 1}, torch::kLong);
}  // namespace

TEST_CASE("cross-entropy is the negative log softmax at the label", "[training][loss]") {
  const double first = std::log(std::exp(1.0) + std::exp(-2.0) + std::exp(0.5)) - 0.5;
  const double second = std::log(std::exp(0.0) + std::exp(3.0) + std::exp(-1.0)) - 3.0;
  CHECK(make_loss("cross_entropy").sum(outputs, labels).item<double>() ==
        Approx(first + second).epsilon(1e-14));
}

TEST_CASE("the square loss is the squared distance to the one-hot target", "[training][loss]") {
  const double sum = 1 + 4 + 0.25 + 0 + 4 + 1;
  CHECK(make_loss("square").sum(outputs, labels).item<double>() == Approx(sum).epsilon(1e-14));
  CHECK(make_loss("{type: square, factor: 0.5}").sum(outputs, labels).item<double>() ==
        Approx(sum / 2).epsilon(1e-14));
}

TEST_CASE("the reduction decides what a set of examples counts", "[training][loss]") {
  CHECK(make_loss("square").scale(8) == 0.125);
  CHECK(make_loss("{type: square, reduction: sum}").scale(8) == 1);
}
