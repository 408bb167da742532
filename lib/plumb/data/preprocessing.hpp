/// From stored examples to network inputs: crop, scale, normalize; and the random crops and flips of
/// training.
#pragma once

#include <optional>

#include <ATen/core/Generator.h>

#include "plumb/core/fields.hpp"
#include "plumb/data/dataset.hpp"

namespace plumb {

enum class Normalization { none, whiten, standardize, unit_norm };

struct PreprocessingOptions {
  std::optional<int64_t> crop = {};
  Normalization normalize = Normalization::whiten;

  void fields(Fields& f) {
    f.field("crop", crop, "side of the central square kept of each image, in pixels; none: the whole image",
            positive);
    f.field(
        "normalize", normalize,
        "whiten: each example to mean 0 and variance 1 (Zhang et al. 2017); standardize: each channel by the "
        "training set's mean and deviation; unit_norm: each example to Euclidean norm 1",
        {"none", "whiten", "standardize", "unit_norm"});
  }
};

/// Inputs in `dtype`, bytes divided by 255 and other values as they are, images cropped around the centre: of
/// an odd number of rows or columns to lose, the bottom or right side loses one more (as TensorFlow crops).
/// Vectors of `dtype` come back sharing memory. Throws ConfigError when the crop is larger than the images or
/// vectors are to be cropped.
Tensor to_unit_range(const Tensor& inputs, const PreprocessingOptions& options, at::ScalarType dtype);

/// Normalizes a batch. Fitted on the training inputs once, so that test inputs are treated alike.
class Normalizer {
 public:
  /// `train_inputs`: (n, ...) floating, as to_unit_range gives them.
  Normalizer(Normalization kind, const Tensor& train_inputs);
  /// whiten: (x - mean) / max(deviation, 1/sqrt(d)) per example over all its d values (population deviation);
  /// standardize: (x - mean) / deviation per channel (per coordinate for vectors), deviation 0 counted as 1;
  /// unit_norm: x / ||x||, zero stays zero.
  Tensor operator()(const Tensor& inputs) const;

 private:
  Normalization kind_;
  Tensor mean_, deviation_;  // of standardize, broadcastable to a batch
};

struct AugmentationOptions {
  bool random_crop = false;
  int64_t padding = 0;
  bool flip = false;

  bool any() const { return random_crop || flip; }
  void fields(Fields& f) {
    f.field("random_crop", random_crop,
            "train on a random crop of preprocessing.crop pixels, new in each epoch");
    f.field("padding", padding, "zero pixels added around an image before a random crop", non_negative);
    f.field("flip", flip, "mirror each training image left to right with probability 1/2");
  }
};

/// Crops of side `side` of (b, channels, height, width) images, gathered in one indexed read on the images'
/// device: at random in the padded image, independently per image, when random_crop; otherwise around the
/// centre. Then each image is mirrored with probability 1/2 when flip. Throws ContractError when the crop
/// does not fit.
Tensor augment(const Tensor& images, const AugmentationOptions& options, int64_t side,
               at::Generator& generator);

}  // namespace plumb
