#include "plumb/data/synthetic.hpp"

#include <ATen/Functions.h>

namespace plumb {
namespace {

Tensor draw_targets(int64_t n, const SyntheticOptions& options, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  switch (options.targets) {
    case SyntheticTargets::classes:
      return at::randint(0, options.classes, {n}, generator, at::TensorOptions(at::kLong));
    case SyntheticTargets::signs:
      return at::randint(0, 2, {n, options.outputs}, generator, doubles).mul(2).sub(1);
    case SyntheticTargets::normal:
      return at::randn({n, options.outputs}, generator, doubles);
  }
  throw ContractError("unknown targets");
}

std::string_view name_of(SyntheticTargets targets) {
  return targets == SyntheticTargets::classes ? "random labels"
         : targets == SyntheticTargets::signs ? "random signs"
                                              : "N(0, 1) targets";
}

}  // namespace

void SyntheticOptions::fields(Fields& f) {
  f.field("train_examples", train_examples, "training examples", positive);
  f.field("test_examples", test_examples, "test examples; 0: none", non_negative);
  f.field("dimension", dimension, "dimension of the inputs", positive);
  f.field(
      "targets", targets,
      "classes, drawn with equal probability; or real numbers: signs, -1 and 1 with equal probability, or "
      "normal, N(0, 1)",
      {"classes", "signs", "normal"});
  f.field("classes", classes, "how many classes there are", positive);
  f.field("outputs", outputs, "real numbers per example", positive);
}

Dataset make_synthetic(const SyntheticOptions& options, const DataContext& context,
                       const std::function<Tensor(const Tensor&)>& draw, const std::string& where) {
  at::Generator generator = context.seed.stream("data");
  const auto part = [&](int64_t n) {
    const Tensor normals = at::randn({n, options.dimension}, generator, at::TensorOptions(at::kDouble));
    const Tensor targets = draw_targets(n, options, generator);
    return Examples{draw(normals), targets};
  };
  Dataset dataset;
  dataset.train = part(options.train_examples);
  dataset.test = part(options.test_examples);
  dataset.source = fmt::format("{}, {}", where, name_of(options.targets));
  if (options.targets != SyntheticTargets::classes) return dataset;
  dataset.num_classes = options.classes;
  for (int64_t k = 0; k < options.classes; ++k) dataset.class_names.push_back(std::to_string(k));
  return dataset;
}

}  // namespace plumb
