/// Training from weights that fit random labels: what was measured, and what is claimed of it.
#pragma once

#include <array>
#include <vector>

#include "plumb/lecture/system.hpp"

namespace plumb {

/// Accuracies on fresh examples after training on the true labels, one per seed.
struct FromTwoStarts {
  std::vector<double> random;       // from random weights
  std::vector<double> adversarial;  // from weights trained on random labels before
};

struct AdversarialMeasured {
  double random_label_accuracy = 0;  // of the adversarial weights on their random labels, mean over seeds
  double training_accuracy = 0;      // on the true labels at the end, the smallest of all
  FromTwoStarts plain;               // gradient descent and nothing else
  FromTwoStarts regularized;         // weight decay and augmented data
};

/// Mean over seeds of random - adversarial, with half its 95 % interval. Throws ContractError for fewer than
/// two seeds or lists of different length.
theory::Measured start_gap(const FromTwoStarts& accuracies);

/// Three claims: every training ends with all training labels right; without regularization the adversarial
/// start costs test accuracy; with it, at most half as much is lost.
std::vector<Claim> adversarial_claims(const AdversarialMeasured& measured);

}  // namespace plumb
