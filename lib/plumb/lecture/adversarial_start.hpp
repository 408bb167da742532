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

/// The same of a network on images, where training accuracies are reported and asked for.
struct AdversarialImagesMeasured {
  double random_label_accuracy = 0;  // of the adversarial weights on the randomly labelled copies, the least
  FromTwoStarts plain, regularized;  // accuracies on test images
  FromTwoStarts plain_training, regularized_training;  // accuracies on the training images as they are
};

/// Three claims: every training ends with all training labels right; without regularization the adversarial
/// start costs test accuracy; with it, at most half as much is lost, decided by the interval of the
/// difference in each seed.
std::vector<Claim> adversarial_claims(const AdversarialMeasured& measured);

/// Three claims: plain SGD has 99 % of the training labels right at the end from both starts; it loses test
/// accuracy by the adversarial one; with regularization at most half as much is lost. The last two assume
/// that 99 % of the random labels were fitted before and 99 % of the true ones by the trainings they are
/// about; `regularized_fits` says whether the last one's are expected to.
std::vector<Claim> adversarial_image_claims(const AdversarialImagesMeasured& measured, bool regularized_fits);

}  // namespace plumb
