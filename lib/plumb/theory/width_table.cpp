#include "plumb/theory/width_table.hpp"

#include <fmt/format.h>

#include "plumb/core/config.hpp"
#include "plumb/core/error.hpp"

namespace plumb::theory {

const std::vector<WidthRequirement>& width_table() {
  static const std::vector<WidthRequirement> rows{
      {"oymak_soltanolkotabi", 2, TrainedLayers::first, "QL", "quadratic", "relu",
       "unit inputs, well-conditioned", 2, 0, false, Scaled::parameters, "Oymak, Soltanolkotabi 2020"},
      {"kawaguchi_huang", 0, TrainedLayers::last, "CLL", "convex, Lipschitz gradient",
       "analytic, monotone, with limits at both ends", "distinct inputs", 1, 0, true, Scaled::parameters,
       "Kawaguchi, Huang 2019"},
      {"song_yang", 2, TrainedLayers::first, "SD", "quadratic", "relu", "separable, unit inputs", 2, 0, false,
       Scaled::width, "Song, Yang 2019"},
      {"du", 2, TrainedLayers::first, "SD + QL", "quadratic", "relu", "unit inputs, none parallel", 6, 0,
       false, Scaled::width, "Du, Zhai, Poczos, Singh 2019, Thm 4.1"},
      {"zou_gu", 0, TrainedLayers::hidden, "SD + QL", "quadratic", "relu", "separable, unit inputs", 8, 12,
       false, Scaled::width, "Zou, Gu 2019"},
      {"song", 2, TrainedLayers::all, "QL", "quadratic",
       "twice differentiable, sigma(0) = 0, bounded derivatives", "unit inputs, sigma_max(X) ~ sqrt(n/d)",
       1.5, 0, true, Scaled::parameters, "Song, Ramezani-Kebrya, Pethick, Eftekhari, Cevher 2021, Thm 3"}};
  return rows;
}

const WidthRequirement& width_requirement(std::string_view name) {
  std::vector<std::string> known;
  for (const WidthRequirement& row : width_table()) {
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  expects(false, "width requirement '{}'{}", name, suggestion(name, known));
  return width_table().front();
}

double exponent_as(const WidthRequirement& row, Scaled scaled, double growth) {
  expects(row.layers == 2, "width requirement '{}': any number of layers; two are expected", row.name);
  if (row.scaled == scaled) return row.exponent;
  return scaled == Scaled::parameters ? row.exponent + growth : row.exponent - growth;
}

Prediction exponent_at_most(const WidthRequirement& row, int64_t sizes, double ratio) {
  Prediction prediction = predicted("exponent of n", Relation::at_most, row.exponent, row.source);
  prediction.assumptions = {
      requires_at_least("the fit goes through 3 sizes at least", static_cast<double>(sizes), 3),
      requires_at_least("the sizes differ by a factor 2 at least", ratio, 2)};
  return prediction;
}

}  // namespace plumb::theory
