#include "plumb/theory/scaling_fit.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

/// P(|T| <= t).
double student_probability(double t, int64_t degrees) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double square = std::cos(angle) * std::cos(angle);
  // Even degrees: sin (1 + 1/2 cos^2 + 1 3/(2 4) cos^4 + ...); odd: 2/pi (angle + sin cos (1 + 2/3 cos^2 +
  // ...)).
  const bool odd = degrees % 2 == 1;
  double term = 1, sum = 0;
  for (int64_t k = odd ? 3 : 2; k <= degrees; k += 2) {
    sum += term;
    term *= square * static_cast<double>(k - 1) / static_cast<double>(k);
  }
  if (!odd) return std::sin(angle) * sum;
  return 2 / std::numbers::pi * (angle + std::sin(angle) * std::cos(angle) * sum);
}

}  // namespace

double student_quantile_95(int64_t degrees) {
  expects(degrees >= 1, "Student's distribution needs at least one degree of freedom; got {}", degrees);
  double low = 1.9, high = 13;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (student_probability(middle, degrees) < 0.95 ? low : high) = middle;
  }
  return low;
}

double PowerLaw::at(double x) const { return coefficient * std::pow(x, exponent); }

PowerLaw fit_power_law(const std::vector<double>& x, const std::vector<double>& y) {
  expects(x.size() == y.size() && x.size() >= 2, "a power law needs two points or more; got {} and {}",
          x.size(), y.size());
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    expects(x[i] > 0 && y[i] > 0, "a power law is fitted to positive numbers; got {} and {}", x[i], y[i]);
    mean_x += std::log(x[i]) / n;
    mean_y += std::log(y[i]) / n;
  }
  double xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += std::pow(std::log(x[i]) - mean_x, 2);
    xy += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
  }
  expects(xx > 0, "a power law needs two different x; all {} are {}", x.size(), x[0]);
  PowerLaw law;
  law.points = static_cast<int64_t>(x.size());
  law.exponent = xy / xx;
  law.coefficient = std::exp(mean_y - law.exponent * mean_x);
  law.half_width = law.deviation = std::numeric_limits<double>::infinity();
  if (x.size() == 2) return law;
  double residual = 0;
  for (size_t i = 0; i < x.size(); ++i) residual += std::pow(std::log(y[i] / law.at(x[i])), 2);
  law.deviation = std::sqrt(residual / (n - 2));
  law.half_width = student_quantile_95(law.points - 2) * law.deviation / std::sqrt(xx);
  return law;
}

}  // namespace plumb::theory
