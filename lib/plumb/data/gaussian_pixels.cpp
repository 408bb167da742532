#include <tuple>

#include <ATen/Functions.h>

#include "plumb/data/pixels.hpp"
#include "plumb/data/randomization.hpp"

namespace plumb {
namespace {

struct GaussianPixelsOptions {
  void fields(Fields&) {}
};

void draw_gaussian_pixels(Problem& problem, const Seed& seed) {
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

Randomization make_gaussian_pixels(const GaussianPixelsOptions&) {
  return {.apply = draw_gaussian_pixels, .touches_pixels = true};
}

}  // namespace

PLUMB_REGISTER(Randomizations, gaussian_pixels, GaussianPixelsOptions, make_gaussian_pixels,
               "pixels drawn from a normal distribution with the data's mean and variance")

}  // namespace plumb
