/// Exponents of power laws with their uncertainty.
#pragma once

#include <cstdint>
#include <vector>

namespace plumb::theory {

/// y = coefficient x^exponent, fitted by least squares to the logarithms.
struct PowerLaw {
  double exponent = 0;
  double coefficient = 0;
  /// Half the width of the exponent's 95 % interval: t s / sqrt(sum (log x - mean)^2) with s^2 the residual
  /// variance on n - 2 degrees of freedom and t Student's quantile; infinite for two points.
  double half_width = 0;
  double deviation = 0;  // s: of log y around the line
  int64_t points = 0;

  double at(double x) const;
};

/// Fits points with x > 0 and y > 0. The interval takes the deviations of log y for independent and normal,
/// all alike. Throws ContractError for fewer than two points, all x equal, or numbers that are not positive.
PowerLaw fit_power_law(const std::vector<double>& x, const std::vector<double>& y);

/// t with P(|T| <= t) = 0.95 for Student's distribution with `degrees` >= 1 degrees of freedom, from the
/// finite sums for whole degrees (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
double student_quantile_95(int64_t degrees);

}  // namespace plumb::theory
