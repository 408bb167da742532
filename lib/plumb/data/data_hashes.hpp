/// What identifies the examples of a run, and what is odd about them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plumb/data/dataset.hpp"

namespace plumb {

/// SHA-256 of the examples that a run uses: those of its data set after the subset was taken, as they were
/// read, before cropping, normalization and randomization. Each hash covers dtype, shape and the bytes of the
/// values in memory order (contiguous, little-endian): inputs uint8 or floating, targets int64 or floating.
/// Of an empty part it is the hash of no examples.
struct DataHashes {
  std::string train_inputs, train_labels, test_inputs, test_labels;

  /// (name, hash) of each, in this order.
  std::vector<std::pair<std::string, std::string>> parts() const;
  /// One hash for all: SHA-256 of the four in hexadecimal, one a line.
  std::string all() const;
};

DataHashes hash_data(const Dataset& dataset);

/// Throws DataError when a data set is none: inputs and targets that differ in number, targets that are
/// neither int64 in 0 .. num_classes - 1 nor finite real numbers (n) or (n, c), inputs that are not finite,
/// train and test examples of different shapes.
void check_dataset(const Dataset& dataset);

/// Examples whose inputs occur more than once, byte for byte.
struct Duplicates {
  int64_t within_train = 0;   // training examples that equal an earlier one
  int64_t test_in_train = 0;  // test examples that equal a training example
};

Duplicates count_duplicates(const Dataset& dataset);

}  // namespace plumb
