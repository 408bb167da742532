#include <ATen/Functions.h>

#include "plumb/data/synthetic_targets.hpp"

namespace plumb {
namespace {

struct GaussianOptions : SyntheticTargets {
  int64_t train_examples = 128;
  int64_t test_examples = 128;
  int64_t dimension = 64;
  double std = 1;

  void fields(Fields& f) {
    f.field("train_examples", train_examples, "training examples", positive);
    f.field("test_examples", test_examples, "test examples; 0: none", non_negative);
    f.field("dimension", dimension, "dimension of the inputs", positive);
    f.field("std", std, "standard deviation of each coordinate", positive);
    SyntheticTargets::fields(f);
  }
};

Examples gaussian_examples(int64_t n, const GaussianOptions& options, at::Generator& generator) {
  const Tensor inputs = at::randn({n, options.dimension}, generator, at::TensorOptions(at::kDouble));
  const Tensor targets = options.draw(n, generator);
  return {inputs.mul(options.std), targets};
}

Dataset make_gaussian(const GaussianOptions& options, const DataContext& context) {
  at::Generator generator = context.seed.stream("data");
  Dataset dataset;
  dataset.train = gaussian_examples(options.train_examples, options, generator);
  dataset.test = gaussian_examples(options.test_examples, options, generator);
  options.describe(dataset);
  dataset.source =
      fmt::format("N(0, {0:g}^2 I) in R^{1}, {2}", options.std, options.dimension, options.text());
  return dataset;
}

}  // namespace

PLUMB_REGISTER(Datasets, gaussian, GaussianOptions, make_gaussian,
               "points drawn from N(0, std^2 I) with targets that have nothing to do with them")

}  // namespace plumb
