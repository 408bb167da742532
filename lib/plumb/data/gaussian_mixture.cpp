#include <cmath>

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {
namespace {

struct GaussianMixtureOptions {
  int64_t train_examples = 256;
  int64_t test_examples = 1024;
  int64_t dimension = 16;
  int64_t classes = 2;
  double separation = 3;

  void fields(Fields& f) {
    f.field("train_examples", train_examples, "training examples", positive);
    f.field("test_examples", test_examples, "test examples; 0: none", non_negative);
    f.field("dimension", dimension, "dimension of the inputs, at least the number of classes", positive);
    f.field("classes", classes, "classes, drawn with equal probability", positive);
    f.field("separation", separation,
            "distance between any two class means, in standard deviations; with two classes no classifier "
            "errs less "
            "often than Phi(-separation/2)",
            non_negative);
  }
};

/// x = m_y + z with z ~ N(0, I) and m_k = separation/sqrt(2) e_k: any two means lie `separation` apart. The
/// noise looks alike in every direction, so nothing is lost by putting the means on the axes.
Examples mixture_examples(int64_t n, const GaussianMixtureOptions& options, at::Generator& generator) {
  const Tensor labels = at::randint(0, options.classes, {n}, generator, at::TensorOptions(at::kLong));
  const Tensor means = at::eye(options.classes, options.dimension, at::TensorOptions(at::kDouble))
                           .mul(options.separation / std::sqrt(2.0));
  const Tensor noise = at::randn({n, options.dimension}, generator, at::TensorOptions(at::kDouble));
  return {means.index_select(0, labels).add(noise).to(at::kFloat), labels};
}

Dataset make_gaussian_mixture(const GaussianMixtureOptions& options, const DataContext& context) {
  if (options.dimension < options.classes)
    throw ConfigError(fmt::format("data.dimension: {}; {} classes need at least as many dimensions",
                                  options.dimension, options.classes));
  at::Generator generator = context.seed.stream("data");
  Dataset dataset;
  dataset.train = mixture_examples(options.train_examples, options, generator);
  dataset.test = mixture_examples(options.test_examples, options, generator);
  dataset.num_classes = options.classes;
  for (int64_t k = 0; k < options.classes; ++k) dataset.class_names.push_back(std::to_string(k));
  dataset.source = fmt::format("{} Gaussians in R^{}, means {} apart", options.classes, options.dimension,
                               options.separation);
  return dataset;
}

}  // namespace

PLUMB_REGISTER(Datasets, gaussian_mixture, GaussianMixtureOptions, make_gaussian_mixture,
               "one unit Gaussian per class; Bayes error Phi(-separation/2) for two classes")

}  // namespace plumb
