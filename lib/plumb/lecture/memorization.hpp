/// What was measured of a network built to memorize, and what is claimed of it.
#pragma once

#include <vector>

#include "plumb/lecture/system.hpp"

namespace plumb {

/// The network of Yun et al. 2019 on n examples of c classes, and SGD on the same architecture.
struct MemorizationMeasured {
  int64_t examples = 0;
  int64_t first_width = 0, second_width = 0;
  double smallest_gap = 0;      // between neighbouring projections
  double accuracy = 0;          // of the construction in float64
  double largest_error = 0;     // of its one-hot outputs
  double float32_accuracy = 0;  // the same weights rounded
  double sgd_accuracy = 0;      // after the last epoch, from random weights
  double sgd_epochs = 0;
};

/// Five claims: the labels are all right; the outputs are within 1/2 of the one-hot codes; the widths are no
/// larger than the theorem needs, up to even numbers; rounded to float32 the network knows nothing (accuracy
/// at most twice that of guessing); and, expected to fail, SGD gets every label right in the epochs given.
std::vector<Claim> memorization_claims(const MemorizationMeasured& measured, int64_t classes);

}  // namespace plumb
