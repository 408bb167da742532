#include "plumb/data/randomization.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Dispatch.h>
#include <ATen/Functions.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

struct NoOptions {
  void fields(Fields&) {}
};

enum class Replacement { uniform, different };

struct CorruptedLabelsOptions {
  double probability = 0.5;
  Replacement replacement = Replacement::uniform;

  void fields(Fields& f) {
    f.field("probability", probability, "probability that a training label is redrawn", fraction);
    f.field("replacement", replacement,
            "uniform: from all classes, so that 1 of num_classes keeps its class (Zhang et al. 2017); "
            "different: from "
            "the other classes",
            {"uniform", "different"});
  }
};

/// Draws for every example whether or not it is redrawn: with one seed, the labels redrawn at a small
/// probability are among those redrawn at a larger one, to the same classes.
void redraw_labels(const CorruptedLabelsOptions& options, Problem& problem, const Seed& seed) {
  const int64_t n = problem.clean_labels.size(0);
  const bool different = options.replacement == Replacement::different;
  if (different && problem.num_classes < 2)
    throw ConfigError(
        fmt::format("replacement: different; {} class leaves no other to draw", problem.num_classes));
  at::Generator generator = seed.stream("labels");
  problem.redrawn = at::rand({n}, generator, at::TensorOptions(at::kDouble)).lt(options.probability);
  // Uniform over the others: the clean class moved on by 1 .. num_classes - 1.
  const Tensor draws =
      at::randint(different ? 1 : 0, problem.num_classes, {n}, generator, at::TensorOptions(at::kLong));
  const Tensor drawn = different ? problem.clean_labels.add(draws).remainder(problem.num_classes) : draws;
  problem.train.labels = at::where(problem.redrawn, drawn, problem.clean_labels);
}

/// (n, channels, pixels) of images or vectors; a view.
Tensor as_pixels(const Tensor& inputs) { return inputs.dim() > 2 ? inputs.flatten(2) : inputs.unsqueeze(1); }

/// Applies `change` to the inputs of both parts that have examples, training first.
template <class Change>
void replace_pixels(Problem& problem, Change&& change) {
  for (Examples* part : {&problem.train, &problem.test})
    if (part->size() > 0) part->inputs = change(part->inputs.contiguous());
}

/// target[row][i] = source[row][permutation[i]]; several times as fast as index_select along the last
/// dimension.
template <class T>
void permute_rows(const T* source, T* target, int64_t rows, const Tensor& permutation) {
  const int64_t pixels = permutation.size(0);
  const int64_t* from = permutation.data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row, source += pixels, target += pixels)
    for (int64_t i = 0; i < pixels; ++i) target[i] = source[from[i]];
}

void shuffle_pixels(const NoOptions&, Problem& problem, const Seed& seed) {
  at::Generator generator = seed.stream("pixels");
  const int64_t positions = as_pixels(problem.train.inputs).size(2);
  const Tensor permutation = at::randperm(positions, generator, at::TensorOptions(at::kLong));
  replace_pixels(problem, [&](const Tensor& inputs) {
    Tensor shuffled = at::empty_like(inputs);
    AT_DISPATCH_FLOATING_TYPES(inputs.scalar_type(), "shuffled_pixels", [&] {
      permute_rows(inputs.data_ptr<scalar_t>(), shuffled.data_ptr<scalar_t>(), inputs.numel() / positions,
                   permutation);
    });
    return shuffled;
  });
}

/// Uniform on 0 .. bound - 1: the high half of a 64-bit product, redrawn in the few cases that would favor
/// small numbers (Lemire 2019).
class PixelDraws {
 public:
  explicit PixelDraws(at::Generator generator)
      : generator_(std::move(generator)), engine_(generator_.get<at::CPUGeneratorImpl>()) {}

  uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{engine_->random()} * bound;
    if (static_cast<uint32_t>(product) < bound)
      while (static_cast<uint32_t>(product) < -bound % bound) product = uint64_t{engine_->random()} * bound;
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  at::Generator generator_;
  at::CPUGeneratorImpl* engine_;
};

/// Shuffles the pixels of each image (Fisher and Yates), (n, channels, pixels) contiguous, in place. Sorting
/// random keys would do the same at twenty times the cost.
template <class T>
void shuffle_each(T* values, int64_t n, int64_t channels, int64_t pixels, PixelDraws& draws) {
  for (T* image = values; image != values + n * channels * pixels; image += channels * pixels)
    for (int64_t i = pixels - 1; i > 0; --i) {
      const int64_t j = draws.below(static_cast<uint32_t>(i + 1));
      for (int64_t c = 0; c < channels; ++c) std::swap(image[c * pixels + i], image[c * pixels + j]);
    }
}

void randomize_pixels(const NoOptions&, Problem& problem, const Seed& seed) {
  PixelDraws draws(seed.stream("pixels"));
  replace_pixels(problem, [&](const Tensor& inputs) {
    Tensor shuffled = inputs.clone();
    const Tensor pixels = as_pixels(shuffled);
    AT_DISPATCH_FLOATING_TYPES(pixels.scalar_type(), "random_pixels", [&] {
      shuffle_each(pixels.data_ptr<scalar_t>(), pixels.size(0), pixels.size(1), pixels.size(2), draws);
    });
    return shuffled;
  });
}

void draw_gaussian_pixels(const NoOptions&, Problem& problem, const Seed& seed) {
  at::Generator generator = seed.stream("pixels");
  const auto variance_and_mean = at::var_mean(as_pixels(problem.train.inputs), at::IntArrayRef{0, 2},
                                              /*unbiased=*/false, /*keepdim=*/true);
  const Tensor deviation = std::get<0>(variance_and_mean).sqrt();
  const Tensor mean = std::get<1>(variance_and_mean);
  replace_pixels(problem, [&](const Tensor& inputs) {
    Tensor drawn = at::empty_like(inputs).normal_(0, 1, generator);
    as_pixels(drawn).mul_(deviation).add_(mean);
    return drawn;
  });
}

Randomizations built_in_randomizations() {
  Randomizations built_in;
  built_in.add<NoOptions>("true_labels", "the data as it is", [](const NoOptions&, Problem&, const Seed&) {});
  built_in.add<CorruptedLabelsOptions>("corrupted_labels",
                                       "each training label redrawn with a given probability", redraw_labels);
  built_in.add<NoOptions>("random_labels", "every training label redrawn from all classes",
                          [](const NoOptions&, Problem& problem, const Seed& seed) {
                            redraw_labels({.probability = 1}, problem, seed);
                          });
  built_in.add<NoOptions>("shuffled_pixels", "one permutation of the pixels for all images", shuffle_pixels);
  built_in.add<NoOptions>("random_pixels", "a permutation of its own for the pixels of each image",
                          randomize_pixels);
  built_in.add<NoOptions>("gaussian_pixels",
                          "pixels drawn from a normal distribution with the data's mean and variance",
                          draw_gaussian_pixels);
  return built_in;
}

}  // namespace

Randomizations& randomizations() {
  static Randomizations registry = built_in_randomizations();
  return registry;
}

}  // namespace plumb
