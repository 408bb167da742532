#include "plumb/data/problem.hpp"

#include <ATen/Functions.h>

namespace plumb {

Tensor Problem::corrupted() const { return train.labels.ne(clean_labels); }

Problem make_problem(const Dataset& dataset, const PreprocessingOptions& options, at::ScalarType dtype) {
  Problem problem;
  problem.train = {to_unit_range(dataset.train.inputs, options, dtype), dataset.train.labels};
  problem.test = dataset.test;
  if (dataset.test.inputs.defined()) problem.test.inputs = to_unit_range(dataset.test.inputs, options, dtype);
  problem.clean_labels = dataset.train.labels.clone();
  problem.redrawn = at::zeros_like(problem.clean_labels, at::TensorOptions(at::kBool));
  problem.num_classes = dataset.num_classes;
  return problem;
}

}  // namespace plumb
