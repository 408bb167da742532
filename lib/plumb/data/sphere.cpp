#include <ATen/Functions.h>

#include "plumb/data/synthetic_targets.hpp"

namespace plumb {
namespace {

struct SphereOptions : SyntheticTargets {
  int64_t train_examples = 128;
  int64_t test_examples = 128;
  int64_t dimension = 64;

  void fields(Fields& f) {
    f.field("train_examples", train_examples, "training examples", positive);
    f.field("test_examples", test_examples, "test examples; 0: none", non_negative);
    f.field("dimension", dimension, "dimension of the inputs", positive);
    SyntheticTargets::fields(f);
  }
};

/// Normals divided by their norm are uniform on the sphere.
Examples sphere_examples(int64_t n, const SphereOptions& options, at::Generator& generator) {
  const Tensor normals = at::randn({n, options.dimension}, generator, at::TensorOptions(at::kDouble));
  const Tensor targets = options.draw(n, generator);
  return {normals.div(normals.norm(2, {1}, true)), targets};
}

Dataset make_sphere(const SphereOptions& options, const DataContext& context) {
  at::Generator generator = context.seed.stream("data");
  Dataset dataset;
  dataset.train = sphere_examples(options.train_examples, options, generator);
  dataset.test = sphere_examples(options.test_examples, options, generator);
  options.describe(dataset);
  dataset.source = fmt::format("uniform on the unit sphere of R^{}, {}", options.dimension, options.text());
  return dataset;
}

}  // namespace

PLUMB_REGISTER(Datasets, sphere, SphereOptions, make_sphere,
               "points uniform on the unit sphere with targets that have nothing to do with them")

}  // namespace plumb
