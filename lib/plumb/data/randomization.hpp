/// The randomization tests of Zhang et al. (ICLR 2017), section 2: labels or pixels replaced, once, before
/// training.
#pragma once

#include <functional>
#include <optional>

#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/data/problem.hpp"

namespace plumb {

/// A randomization, and what of it others must know.
struct Randomization {
  /// Replaces tensors of a problem, on the CPU, with draws from seed.stream("labels") or
  /// seed.stream("pixels"). Tensors that the problem shares with a data set are never written to. Throws
  /// ConfigError when labels are to be redrawn from the other classes and there is no other.
  std::function<void(Problem&, const Seed&)> apply;
  /// The probability with which each training label is drawn anew; absent where that is not what it does.
  std::optional<double> redrawn_labels = {};
  /// Whether inputs are others afterwards, so that crops and flips of images mean nothing.
  bool touches_pixels = false;
};

using Randomizations = Registry<Randomization()>;

/// - true_labels: nothing is changed;
/// - corrupted_labels: each training label is redrawn with a given probability, from all classes or from the
///   other ones;
/// - random_labels: every training label is redrawn from all classes; real targets, here and above, from
/// those
///   of the training set;
/// - shuffled_pixels: one permutation of the pixel positions for all training and test images;
/// - random_pixels: a permutation of its own for each training and test image;
/// - gaussian_pixels: every pixel is drawn from a normal distribution with its channel's mean and variance
///   over the training images.
///
/// Pixels move with all their channels; a vector (n, d) counts as one channel of d pixels.
Randomizations& randomizations();

}  // namespace plumb
