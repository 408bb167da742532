/// A part of a data set: some classes, some examples.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/core/fields.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {

struct SubsetOptions {
  /// By name or number; they are renumbered 0, 1, ... in this order; empty: all.
  std::vector<std::string> classes = {};
  std::optional<int64_t> train_examples = {};
  std::optional<int64_t> test_examples = {};

  void fields(Fields& f) {
    f.field("classes", classes, "classes to keep, by name or number, renumbered in this order; empty: all");
    f.field("train_examples", train_examples, "training examples to keep; none: all", positive);
    f.field("test_examples", test_examples, "test examples to keep; none: all", positive);
  }
};

/// The examples of the chosen classes, then the asked number of them drawn without replacement from
/// seed.stream("subset"), kept in file order. Throws ConfigError for an unknown class or more examples than
/// exist.
Dataset subset(const Dataset& dataset, const SubsetOptions& options, const Seed& seed);

}  // namespace plumb
