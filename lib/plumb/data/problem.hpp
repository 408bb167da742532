/// Training and test examples on their way to the network, between cropping and normalization.
#pragma once

#include "plumb/data/dataset.hpp"
#include "plumb/data/preprocessing.hpp"

namespace plumb {

/// What randomization works on, with what was done to the training labels. The test labels are never touched.
struct Problem {
  Examples train;  // labels: what the network is trained on
  Examples test;
  Tensor clean_labels;  // (n) int64: the training labels before randomization
  Tensor redrawn;       // (n) bool: labels the randomization drew anew; some draw their old class
  int64_t num_classes = 0;

  /// (n) bool: training labels that differ from the clean ones.
  Tensor corrupted() const;
};

/// The data set cropped and in `dtype` (see to_unit_range), nothing randomized yet. Throws as to_unit_range
/// does.
Problem make_problem(const Dataset& dataset, const PreprocessingOptions& options, at::ScalarType dtype);

}  // namespace plumb
