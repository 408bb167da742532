/// The randomization tests of Zhang et al. (ICLR 2017), section 2: labels or pixels replaced, once, before
/// training.
#pragma once

#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {

/// Training and test examples on their way to the network, after cropping and before normalization, with what
/// was done to the training labels. The test labels are never touched.
struct Problem {
  Examples train;  // labels: what the network is trained on
  Examples test;
  Tensor clean_labels;  // (n) int64: the training labels before randomization
  Tensor redrawn;       // (n) bool: labels the randomization drew anew; some draw their old class
  int64_t num_classes = 0;

  /// (n) bool: training labels that differ from the clean ones.
  Tensor corrupted() const;
};

/// Changes a problem in place, with draws from seed.stream("labels") or seed.stream("pixels").
using Randomizations = Registry<void(Problem&, const Seed&)>;

/// true_labels, corrupted_labels, random_labels, shuffled_pixels, random_pixels, gaussian_pixels.
Randomizations& randomizations();

}  // namespace plumb
