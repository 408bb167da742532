#include "plumb/report/wording.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace plumb {
namespace {

/// Decimals that show two digits of the error, or `otherwise` without one.
int decimals_for(double error, int otherwise) {
  if (!(error > 0)) return otherwise;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(error))), 0, 6);
}

std::string with_error(double mean, double error, int decimals) {
  if (std::isnan(error)) return fmt::format("{:.{}f}", mean, decimals);
  return fmt::format("{:.{}f} ± {:.{}f}", mean, decimals, error, decimals);
}

}  // namespace

std::string number_text(const Estimate& estimate) {
  if (estimate.count == 0) return std::string(absent);
  const double size = std::abs(estimate.mean);
  const bool whole = estimate.mean == std::round(estimate.mean);
  const int otherwise = whole || size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  const int decimals = decimals_for(estimate.standard_error, otherwise);
  return with_error(estimate.mean, estimate.standard_error, std::min(decimals, std::max(otherwise, 2)));
}

std::string percent_text(const Estimate& estimate) {
  if (estimate.count == 0) return std::string(absent);
  const int decimals = std::min(decimals_for(100 * estimate.standard_error, 2), 2);
  // 100.0 must mean all of them: what is below is never rounded up to it.
  const double unit = std::pow(10, -decimals);
  const double percent = 100 * estimate.mean;
  const double shown = percent < 100 ? std::min(percent, 100 - unit) : percent;
  return with_error(shown, 100 * estimate.standard_error, decimals);
}

std::string duration_text(const Estimate& seconds) {
  if (seconds.count == 0) return std::string(absent);
  const double mean = seconds.mean;
  if (mean < 10) return fmt::format("{:.1f} s", mean);
  if (mean < 100) return fmt::format("{:.0f} s", mean);
  if (mean < 6000) return fmt::format("{:.1f} min", mean / 60);
  return fmt::format("{:.1f} h", mean / 3600);
}

std::string outcome_text(std::string outcome) {
  std::replace(outcome.begin(), outcome.end(), '_', ' ');
  return outcome;
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace plumb
