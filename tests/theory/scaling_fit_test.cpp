// Oracles: printed tables of Student's distribution; the closed form of the fit to three points; Monte Carlo.
#include "plumb/theory/scaling_fit.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using plumb::theory::fit_power_law;
using plumb::theory::student_quantile_95;

TEST_CASE("Student's quantiles are those of the tables", "[theory][scaling]") {
  const std::vector<std::pair<int64_t, double>> table{{1, 12.706}, {2, 4.303},  {3, 3.182},
                                                      {4, 2.776},  {5, 2.571},  {10, 2.228},
                                                      {29, 2.045}, {30, 2.042}, {120, 1.980}};
  for (const auto& [degrees, quantile] : table)
    CHECK(std::abs(student_quantile_95(degrees) - quantile) < 0.0006);
  CHECK_THROWS_AS(student_quantile_95(0), plumb::ContractError);
}

TEST_CASE("a power law without noise is found exactly", "[theory][scaling]") {
  const std::vector<double> x{2, 3, 10, 700};
  std::vector<double> y;
  y.reserve(x.size());
  for (const double value : x) y.push_back(5 * std::pow(value, -1.5));
  const auto law = fit_power_law(x, y);
  CHECK(law.exponent == Approx(-1.5).epsilon(1e-12));
  CHECK(law.coefficient == Approx(5).epsilon(1e-12));
  CHECK(law.half_width < 1e-10);
  CHECK(law.at(100) == Approx(0.005).epsilon(1e-10));
}

TEST_CASE("three points give the interval of the closed form", "[theory][scaling]") {
  // log x = -1, 0, 1 and log y = 0, 3h, 0: slope 0, residuals -h, 2h, -h, s^2 = 6 h^2 on 1 degree.
  const double h = 0.1;
  const auto law = fit_power_law({std::exp(-1.0), 1, std::exp(1.0)}, {1, std::exp(3 * h), 1});
  CHECK(std::abs(law.exponent) < 1e-12);
  CHECK(law.coefficient == Approx(std::exp(h)));
  CHECK(law.deviation == Approx(std::sqrt(6.0) * h));
  CHECK(law.half_width == Approx(student_quantile_95(1) * std::sqrt(6.0) * h / std::sqrt(2.0)));
}

TEST_CASE("two points have a slope and no interval, and fewer, equal or negative ones are refused",
          "[theory][scaling]") {
  CHECK(fit_power_law({1, 10}, {1, 100}).exponent == Approx(2));
  CHECK(std::isinf(fit_power_law({1, 10}, {1, 100}).half_width));
  CHECK_THROWS_AS(fit_power_law({1}, {1}), plumb::ContractError);
  CHECK_THROWS_AS(fit_power_law({2, 2}, {1, 3}), plumb::ContractError);
  CHECK_THROWS_AS(fit_power_law({1, 2}, {1, 0}), plumb::ContractError);
}

TEST_CASE("the interval covers the exponent in 95 of 100 experiments", "[theory][scaling]") {
  at::Generator generator = plumb::Seed(4).stream("noise");
  const int experiments = 2000;
  int covered = 0;
  for (int i = 0; i < experiments; ++i) {
    const at::Tensor noise = at::randn({5}, generator, at::kDouble) * 0.3;
    std::vector<double> x, y;
    for (int j = 0; j < 5; ++j) {
      x.push_back(std::pow(2, j));
      y.push_back(3 * std::pow(x.back(), 1.7) * std::exp(noise[j].item<double>()));
    }
    const auto law = fit_power_law(x, y);
    covered += std::abs(law.exponent - 1.7) <= law.half_width;
  }
  // A binomial deviation of 9.7: six of them are missed once in 5e8.
  CHECK(std::abs(covered - 0.95 * experiments) < 6 * std::sqrt(experiments * 0.95 * 0.05));
}
