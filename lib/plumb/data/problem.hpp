/// Training and test examples on their way to the network, between cropping and normalization.
#pragma once

#include "plumb/data/dataset.hpp"
#include "plumb/data/preprocessing.hpp"

namespace plumb {

/// What randomization works on, with what was done to the training targets. Those of the test set are never
/// touched.
struct Problem {
  Examples train;  // targets: what the network is trained on
  Examples test;
  Tensor clean_targets;     // as train.targets: those before randomization
  Tensor redrawn;           // (n) bool: targets the randomization drew anew; some draw their old class
  int64_t num_classes = 0;  // 0 where the targets are real numbers

  /// (n) bool: training examples whose target differs from the clean one.
  Tensor corrupted() const;
};

/// The data set cropped and in `dtype` (see to_unit_range), real targets, too, as columns (n, c); nothing
/// randomized yet. Throws as to_unit_range does.
Problem make_problem(const Dataset& dataset, const PreprocessingOptions& options, at::ScalarType dtype);

/// What becomes of the targets before training, after they were randomized.
enum class TargetEncoding {
  as_given,
  signs,  // the first of two classes is -1, the second 1: real numbers (n, 1), for networks of one output
};

/// Throws ConfigError where `signs` is asked of targets that are neither two classes nor +-1 already.
void encode_targets(Problem& problem, TargetEncoding encoding);

}  // namespace plumb
