#include <ATen/Functions.h>

#include "plumb/data/synthetic.hpp"

namespace plumb {
namespace {

struct GaussianOptions : SyntheticOptions {
  double std = 1;

  void fields(Fields& f) {
    SyntheticOptions::fields(f);
    f.field("std", std, "standard deviation of each coordinate", positive);
  }
};

Dataset make_gaussian(const GaussianOptions& options, const DataContext& context) {
  return make_synthetic(
      options, context, [&](const Tensor& normals) { return normals.mul(options.std); },
      fmt::format("N(0, {:g}^2 I) in R^{}", options.std, options.dimension));
}

}  // namespace

PLUMB_REGISTER(Datasets, gaussian, GaussianOptions, make_gaussian,
               "points drawn from N(0, std^2 I) with targets that have nothing to do with them")

}  // namespace plumb
