#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Dispatch.h>
#include <ATen/Functions.h>

#include "plumb/data/pixels.hpp"
#include "plumb/data/randomization.hpp"

namespace plumb {
namespace {

struct RandomPixelsOptions {
  void fields(Fields&) {}
};

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

void randomize_pixels(Problem& problem, const Seed& seed) {
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

Randomization make_random_pixels(const RandomPixelsOptions&) {
  return {.apply = randomize_pixels, .touches_pixels = true};
}

}  // namespace

PLUMB_REGISTER(Randomizations, random_pixels, RandomPixelsOptions, make_random_pixels,
               "a permutation of its own for the pixels of each image")

}  // namespace plumb
