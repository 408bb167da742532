// Oracle: the formulas applied value by value in loops, and images whose pixels carry their position.
#include "plumb/data/preprocessing.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using plumb::augment;
using plumb::Normalization;
using plumb::Normalizer;
using plumb::to_unit_range;

namespace {

/// (b, 2, height, width): pixel (channel, y, x) of image i has value 1 + 10000 i + 1000 c + 20 y + x.
torch::Tensor numbered(int64_t b, int64_t height, int64_t width) {
  auto images = torch::empty({b, 2, height, width}, at::kDouble);
  for (int64_t i = 0; i < b; ++i)
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          images[i][c][y][x] = static_cast<double>(1 + 10000 * i + 1000 * c + 20 * y + x);
  return images;
}

}  // namespace

TEST_CASE("bytes become fractions of 255 and vectors stay as they are", "[data][preprocessing]") {
  const auto images = torch::arange(0, 256, at::kInt).to(at::kByte).view({1, 1, 16, 16});
  const auto scaled = to_unit_range(images, {}, at::kDouble);
  for (int i = 0; i < 256; ++i) CHECK(scaled[0][0][i / 16][i % 16].item<double>() == i / 255.0);
  CHECK(images[0][0][15][15].item<int>() == 255);
  const auto vectors = torch::tensor({{-3.0, 7.5}});
  CHECK(to_unit_range(vectors, {}, at::kFloat).equal(vectors.to(at::kFloat)));
}

TEST_CASE("a crop keeps the centre, and an odd remainder is lost at the bottom and right",
          "[data][preprocessing]") {
  const auto images = numbered(1, 7, 6);
  const auto cropped = to_unit_range(images, {.crop = 4}, at::kDouble);
  CHECK(cropped.sizes() == at::IntArrayRef({1, 2, 4, 4}));
  CHECK(cropped[0][0][0][0].item<double>() ==
        1 + 20 * 1 + 1);  // one of three rows lost above, one of two columns left
  CHECK(cropped[0][1][3][3].item<double>() == 1 + 1000 + 20 * 4 + 4);
  CHECK_THROWS_WITH(to_unit_range(images, {.crop = 7}, at::kDouble),
                    "preprocessing.crop: 7 is larger than the images, which are 7 x 6");
  CHECK_THROWS_AS(to_unit_range(torch::zeros({3, 5}), {.crop = 2}, at::kDouble), plumb::ConfigError);
}

TEST_CASE("whitening gives each example mean 0 and variance 1 but spares nearly flat ones",
          "[data][preprocessing]") {
  const auto generator = plumb::Seed(1).stream("test");
  auto images = torch::rand({3, 3, 4, 5}, generator, at::kDouble);
  images[1] = images[1] * 1e-4;  // deviation below 1/sqrt(60)
  const auto whitened = Normalizer(Normalization::whiten, images)(images);
  for (int64_t i = 0; i < 3; ++i) {
    double sum = 0, squares = 0;
    const auto flat = images[i].flatten().contiguous();
    for (int64_t j = 0; j < 60; ++j) sum += flat.data_ptr<double>()[j];
    for (int64_t j = 0; j < 60; ++j) squares += std::pow(flat.data_ptr<double>()[j] - sum / 60, 2);
    const double scale = std::max(std::sqrt(squares / 60), 1 / std::sqrt(60.0));
    CHECK(whitened[i].flatten()[7].item<double>() ==
          Approx((flat.data_ptr<double>()[7] - sum / 60) / scale).epsilon(1e-10));
  }
  CHECK(whitened[0].var(false).item<double>() == Approx(1));
  CHECK(whitened[1].var(false).item<double>() < 1e-3);
}

TEST_CASE("standardizing uses the training set's mean and deviation per channel or coordinate",
          "[data][preprocessing]") {
  const auto generator = plumb::Seed(2).stream("test");
  const auto train = torch::rand({50, 3, 4, 4}, generator, at::kDouble) * 5 + 2;
  const Normalizer normalizer(Normalization::standardize, train);
  const auto normalized = normalizer(train);
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(normalized.select(1, c).mean().item<double>() == Approx(0).margin(1e-12));
    CHECK(normalized.select(1, c).var(false).item<double>() == Approx(1));
  }
  // Other inputs get the training set's numbers, not their own.
  const auto zero = normalizer(torch::zeros({1, 3, 4, 4}, at::kDouble));
  CHECK(zero[0][1][0][0].item<double>() ==
        Approx(-train.select(1, 1).mean().item<double>() / train.select(1, 1).std(false).item<double>()));
  // A constant coordinate is centered and left alone.
  const auto vectors = torch::tensor({{1.0, 5.0}, {3.0, 5.0}}, at::kDouble);
  CHECK(Normalizer(Normalization::standardize, vectors)(vectors).equal(
      torch::tensor({{-1.0, 0.0}, {1.0, 0.0}}, at::kDouble)));
}

TEST_CASE("unit norm divides each example by its length and leaves zero", "[data][preprocessing]") {
  const auto vectors = torch::tensor({{3.0, 4.0}, {0.0, 0.0}}, at::kDouble);
  CHECK(Normalizer(Normalization::unit_norm, vectors)(vectors).allclose(
      torch::tensor({{0.6, 0.8}, {0.0, 0.0}}, at::kDouble)));
  CHECK(Normalizer(Normalization::none, vectors)(vectors).equal(vectors));
}

TEST_CASE("an augmented image is a window of the padded image, mirrored or not", "[data][augmentation]") {
  const int64_t b = 400, height = 5, width = 6, side = 4, padding = 1;
  const auto images = numbered(b, height, width);
  at::Generator generator = plumb::Seed(3).stream("test");
  const auto out = augment(images, {.random_crop = true, .padding = padding, .flip = true}, side, generator);
  REQUIRE(out.sizes() == at::IntArrayRef({b, 2, side, side}));
  const auto padded = torch::constant_pad_nd(images, {1, 1, 1, 1});
  std::map<std::tuple<int64_t, int64_t, bool>, int> seen;
  for (int64_t i = 0; i < b; ++i) {
    int matches = 0;
    for (int64_t y = 0; y + side <= height + 2; ++y)
      for (int64_t x = 0; x + side <= width + 2; ++x)
        for (const bool mirrored : {false, true}) {
          auto window = padded[i].narrow(1, y, side).narrow(2, x, side);
          if (mirrored) window = window.flip({2});
          if (!window.equal(out[i])) continue;
          ++matches;
          ++seen[{y, x, mirrored}];
        }
    CHECK(matches == 1);
  }
  // 4 x 5 windows, twice: each of 40 has 10 expected; that one is never drawn has probability 40 (39/40)^400
  // < 0.002.
  CHECK(seen.size() == 40);
}

TEST_CASE("without a random crop an augmented image keeps the centre", "[data][augmentation]") {
  const auto images = numbered(3, 7, 7);
  at::Generator generator = plumb::Seed(3).stream("test");
  CHECK(augment(images, {.padding = 2}, 4, generator).equal(to_unit_range(images, {.crop = 4}, at::kDouble)));
  CHECK_THROWS_AS(augment(images, {}, 8, generator), plumb::ContractError);
}
