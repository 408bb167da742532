/// Vectors with targets that have nothing to do with them: what the data sets `sphere` and `gaussian` share.
#pragma once

#include <functional>
#include <string>

#include "plumb/core/fields.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {

enum class SyntheticTargets { classes, signs, normal };

struct SyntheticOptions {
  int64_t train_examples = 128;
  int64_t test_examples = 128;
  int64_t dimension = 64;
  SyntheticTargets targets = SyntheticTargets::classes;
  int64_t classes = 2;
  int64_t outputs = 1;

  void fields(Fields& f);
};

/// Training examples, then test examples, each part inputs first: `draw` makes (n, dimension) of a normal sample of
/// that shape in float64. Targets are (n) int64 classes or (n, outputs) float64. `where` begins the source's name.
Dataset make_synthetic(const SyntheticOptions& options, const DataContext& context,
                       const std::function<Tensor(const Tensor&)>& draw, const std::string& where);

}  // namespace plumb
