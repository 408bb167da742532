/// Labels drawn anew, as corrupted_labels and random_labels do.
#pragma once

#include "plumb/core/random.hpp"
#include "plumb/data/problem.hpp"

namespace plumb {

enum class Replacement {
  uniform,    // from all classes, so that 1 of num_classes keeps its class (Zhang et al. 2017)
  different,  // from the other classes
};

/// Draws each training target anew with this probability: a class, or the real target of a training example,
/// so that real numbers keep their distribution. Draws for every example whether or not it is redrawn: with
/// one seed, the labels redrawn at a small probability are among those redrawn at a larger one, to the same
/// classes. Throws ConfigError where `different` has no other class to draw.
void redraw_labels(Problem& problem, double probability, Replacement replacement, const Seed& seed);

}  // namespace plumb
