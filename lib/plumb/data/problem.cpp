#include "plumb/data/problem.hpp"

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// Classes as they are; real numbers as columns of `dtype`.
Tensor targets_in(const Tensor& targets, at::ScalarType dtype) {
  if (target_kind(targets) == TargetKind::classes) return targets;
  const Tensor columns = targets.dim() == 1 ? targets.unsqueeze(1) : targets;
  return columns.to(dtype).contiguous();
}

Examples examples_in(const Examples& examples, const PreprocessingOptions& options, at::ScalarType dtype) {
  if (!examples.inputs.defined()) return examples;
  return {to_unit_range(examples.inputs, options, dtype), targets_in(examples.targets, dtype)};
}

}  // namespace

Tensor Problem::corrupted() const { return targets_differ(train.targets, clean_targets); }

Problem make_problem(const Dataset& dataset, const PreprocessingOptions& options, at::ScalarType dtype) {
  Problem problem;
  problem.train = examples_in(dataset.train, options, dtype);
  problem.test = examples_in(dataset.test, options, dtype);
  problem.clean_targets = problem.train.targets.clone();
  problem.redrawn = at::zeros({problem.train.size()}, at::TensorOptions(at::kBool));
  problem.num_classes = dataset.num_classes;
  return problem;
}

void encode_targets(Problem& problem, TargetEncoding encoding) {
  if (encoding == TargetEncoding::as_given) return;
  if (target_kind(problem.train.targets) == TargetKind::real) {
    if (decision_for(problem.train.targets) == Decision::sign) return;
    throw ConfigError("targets: signs; the data have real numbers that are not +-1");
  }
  if (problem.num_classes != 2)
    throw ConfigError(
        fmt::format("targets: signs; the data have {} classes, and signs are of two: choose them with "
                    "subset.classes",
                    problem.num_classes));
  const auto dtype = problem.train.inputs.scalar_type();
  const auto signs = [&](const Tensor& labels) { return labels.mul(2).sub(1).to(dtype).unsqueeze(1); };
  problem.train.targets = signs(problem.train.targets);
  problem.clean_targets = signs(problem.clean_targets);
  if (problem.test.size() > 0) problem.test.targets = signs(problem.test.targets);
  problem.num_classes = 0;
}

}  // namespace plumb
