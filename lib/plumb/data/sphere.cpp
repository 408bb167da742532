#include <ATen/Functions.h>

#include "plumb/data/synthetic.hpp"

namespace plumb {
namespace {

/// Normals divided by their norm are uniform on the sphere.
Dataset make_sphere(const SyntheticOptions& options, const DataContext& context) {
  return make_synthetic(
      options, context, [](const Tensor& normals) { return normals.div(normals.norm(2, {1}, true)); },
      fmt::format("uniform on the unit sphere of R^{}", options.dimension));
}

}  // namespace

PLUMB_REGISTER(Datasets, sphere, SyntheticOptions, make_sphere,
               "points uniform on the unit sphere with targets that have nothing to do with them")

}  // namespace plumb
