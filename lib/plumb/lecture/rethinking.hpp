/// Networks that fit random labels as they fit true ones: what was measured, and what is claimed of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plumb/lecture/system.hpp"

namespace plumb {

/// One network trained on one version of the data.
struct RandomizedFit {
  std::string model;
  std::string setting;        // "true labels", "random labels", "shuffled pixels", ...
  double corruption = 0;      // fraction of labels drawn anew
  double train_accuracy = 0;  // against the labels trained on
  double test_accuracy = 0;
  int64_t steps = 0;  // until 99 % of the training labels were right, or the limit
  int64_t parameters = 0;
};

struct RethinkingMeasured {
  std::vector<RandomizedFit> fits;  // true and random labels for every model
  int64_t test_examples = 0;
  int64_t classes = 0;
  /// The construction with one hidden layer (Theorem 1) on n inputs in R^d with random labels 0 .. c - 1.
  int64_t examples = 0, dimension = 0, weights = 0;
  double largest_error = 0;
};

/// The fit of `model` in `setting`. Throws ContractError when there is none.
const RandomizedFit& fit_of(const RethinkingMeasured& measured, std::string_view model,
                            std::string_view setting);

/// The construction has 2n + d weights and is right to 1e-3; every network fits every version of the data;
/// for each model, test accuracy after random labels is that of guessing (within the binomial 95 % interval),
/// after true labels at least twice that; and random labels take no fewer steps to 99 % than true ones.
std::vector<Claim> rethinking_claims(const RethinkingMeasured& measured);

}  // namespace plumb
