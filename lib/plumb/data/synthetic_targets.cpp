#include "plumb/data/synthetic_targets.hpp"

#include <ATen/Functions.h>

namespace plumb {

void SyntheticTargets::fields(Fields& f) {
  f.field(
      "targets", targets,
      "classes, drawn with equal probability; or real numbers: signs, -1 and 1 with equal probability, or "
      "normal, N(0, 1)",
      {"classes", "signs", "normal"});
  f.field("classes", classes, "how many classes there are", positive);
  f.field("outputs", outputs, "real numbers per example", positive);
}

Tensor SyntheticTargets::draw(int64_t n, at::Generator& generator) const {
  if (targets == SyntheticKind::classes)
    return at::randint(0, classes, {n}, generator, at::TensorOptions(at::kLong));
  if (targets == SyntheticKind::normal)
    return at::randn({n, outputs}, generator, at::TensorOptions(at::kDouble));
  return at::randint(0, 2, {n, outputs}, generator, at::TensorOptions(at::kDouble)).mul(2).sub(1);
}

void SyntheticTargets::describe(Dataset& dataset) const {
  if (targets != SyntheticKind::classes) return;
  dataset.num_classes = classes;
  for (int64_t k = 0; k < classes; ++k) dataset.class_names.push_back(std::to_string(k));
}

std::string SyntheticTargets::text() const {
  switch (targets) {
    case SyntheticKind::classes:
      return "random labels";
    case SyntheticKind::signs:
      return "random signs";
    case SyntheticKind::normal:
      return "N(0, 1) targets";
  }
  return "";
}

}  // namespace plumb
