/// How wide a network must be for gradient descent to reach zero error on n examples: the results that Song
/// et al. 2021 compare in their Table 1, as data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/theory/prediction.hpp"

namespace plumb::theory {

/// What a requirement Omega(n^e L^f) is a requirement on. The table prints both kinds in one column.
enum class Scaled {
  width,       // units in each hidden layer
  parameters,  // weights in all
};

enum class TrainedLayers { first, last, hidden, all };

/// One row. "Omega~" hides logarithms, and every Omega hides constants of data, delta and accuracy.
struct WidthRequirement {
  std::string_view name;  // short, for options and legends: "du"
  int64_t layers;         // of weights; 0: any number L >= 2
  TrainedLayers trained;
  std::string_view setting;     // as the table abbreviates it
  std::string_view loss;        // of the paper's theorem
  std::string_view activation;  // "relu" or what is asked of it
  std::string_view data;        // what is assumed of inputs and targets
  double exponent;              // e of n
  double depth_exponent;        // f of L; 0 where depth is fixed
  bool logarithms;              // Omega~
  Scaled scaled;
  std::string_view source;
};

/// The six rows in the table's order (Song, Ramezani-Kebrya, Pethick, Eftekhari, Cevher 2021, Table 1).
const std::vector<WidthRequirement>& width_table();

/// The row of that name. Throws ContractError naming those there are.
const WidthRequirement& width_requirement(std::string_view name);

/// The exponent of n with the first hidden layer's input size d fixed or growing as n^growth, as a
/// requirement on the other quantity: parameters of a shallow network = width * d. Throws ContractError for a
/// row of any depth.
double exponent_as(const WidthRequirement& row, Scaled scaled, double growth);

/// The claim that a fitted exponent of the least sufficient width (or number of parameters, as the row says)
/// is no larger than the theorem's: what suffices may be more than what is needed. `sizes`: how many n the
/// fit is through, of which a power law with an interval needs 3; `ratio`: the largest n over the smallest,
/// of which 2 is asked.
Prediction exponent_at_most(const WidthRequirement& row, int64_t sizes, double ratio);

}  // namespace plumb::theory
