// Oracle: the published recurrences, run on plain doubles without tensors.
#include "plumb/training/optimizer.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

using namespace plumb;

namespace {

constexpr int kSteps = 25;

/// The gradient of f(w) = w^4/4 - w, which is neither linear nor constant.
double slope(double w) { return w * w * w - 1; }

/// The optimizer described by `yaml`, run from w = 2 in float64.
std::vector<double> trajectory(const std::string& yaml, bool reload_half_way = false) {
  struct Options {
    Choice<std::unique_ptr<Optimizer>(std::vector<Tensor>)> optimizer{optimizers()};
    void fields(Fields& f) { f.component("optimizer", optimizer, ""); }
  };
  const auto options = read_options<Options>(Config::parse("optimizer: " + yaml));
  Tensor w = torch::full({1}, 2.0, torch::kDouble).requires_grad_();
  auto optimizer = options.optimizer.make({w});
  std::vector<double> path;
  for (int k = 0; k < kSteps; ++k) {
    if (reload_half_way && k == kSteps / 2) {
      const Archive state = optimizer->state();
      optimizer = options.optimizer.make({w});
      optimizer->load(state);
    }
    w.mutable_grad() = torch::full({1}, slope(w.item<double>()), torch::kDouble);
    optimizer->step(optimizer->base_learning_rate());
    path.push_back(w.item<double>());
  }
  return path;
}

void check_close(const std::vector<double>& left, const std::vector<double>& right) {
  REQUIRE(left.size() == right.size());
  for (size_t i = 0; i < left.size(); ++i) CHECK(left[i] == Approx(right[i]).epsilon(1e-13));
}

}  // namespace

TEST_CASE("gradient descent subtracts the gradient", "[training][optimizer]") {
  double w = 2;
  std::vector<double> path;
  for (int k = 0; k < kSteps; ++k) path.push_back(w -= 0.05 * slope(w));
  check_close(trajectory("{type: gd, learning_rate: 0.05}"), path);
}

TEST_CASE("sgd follows the heavy-ball and the Nesterov recurrence with weight decay",
          "[training][optimizer]") {
  const bool nesterov = GENERATE(false, true);
  double w = 2, v = 0;
  std::vector<double> path;
  for (int k = 0; k < kSteps; ++k) {
    const double g = slope(w) + 0.01 * w;
    v = k == 0 ? g : 0.8 * v + g;
    path.push_back(w -= 0.02 * (nesterov ? g + 0.8 * v : v));
  }
  const std::string yaml = fmt::format(
      "{{type: sgd, learning_rate: 0.02, momentum: 0.8, nesterov: {}, weight_decay: 0.01}}", nesterov);
  check_close(trajectory(yaml), path);
}

TEST_CASE("adam follows Algorithm 1 of Kingma and Ba", "[training][optimizer]") {
  double w = 2, m = 0, v = 0;
  std::vector<double> path;
  for (int t = 1; t <= kSteps; ++t) {
    const double g = slope(w);
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(0.99, t));
    path.push_back(w -= 0.1 * m_hat / (std::sqrt(v_hat) + 1e-8));
  }
  check_close(trajectory("{type: adam, learning_rate: 0.1, beta2: 0.99}"), path);
}

TEST_CASE("an optimizer's saved state continues its trajectory bit for bit", "[training][optimizer]") {
  const std::string yaml =
      GENERATE(as<std::string>{}, "{type: sgd, learning_rate: 0.02, momentum: 0.9, nesterov: true}",
               "{type: adam, learning_rate: 0.1}", "{type: gd, learning_rate: 0.05}");
  CHECK(trajectory(yaml, true) == trajectory(yaml, false));
}
