/// Targets that have nothing to do with the inputs, for the synthetic sets.
#pragma once

#include "plumb/core/fields.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {

enum class SyntheticKind { classes, signs, normal };

struct SyntheticTargets {
  SyntheticKind targets = SyntheticKind::classes;
  int64_t classes = 2;
  int64_t outputs = 1;

  void fields(Fields& f);
  /// Of n examples: (n) int64 classes, or (n, outputs) float64 real numbers.
  Tensor draw(int64_t n, at::Generator& generator) const;
  /// Writes number and names of the classes into `dataset`; nothing where the targets are real.
  void describe(Dataset& dataset) const;
  /// "random labels", "random signs" or "N(0, 1) targets".
  std::string text() const;
};

}  // namespace plumb
