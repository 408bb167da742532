#include "plumb/data/preprocessing.hpp"

#include <cmath>

#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

Tensor crop_centre(const Tensor& images, int64_t side) {
  if (images.dim() != 4)
    throw ConfigError(
        fmt::format("preprocessing.crop: {}; the inputs are vectors, which cannot be cropped", side));
  const int64_t height = images.size(2), width = images.size(3);
  if (side > height || side > width)
    throw ConfigError(fmt::format("preprocessing.crop: {} is larger than the images, which are {} x {}", side,
                                  height, width));
  return images.narrow(2, (height - side) / 2, side).narrow(3, (width - side) / 2, side);
}

/// A factor per example, broadcastable to (n, ...).
Tensor per_example(const Tensor& factors, const Tensor& inputs) {
  std::vector<int64_t> shape(static_cast<size_t>(inputs.dim()), 1);
  shape[0] = inputs.size(0);
  return factors.view(shape);
}

Tensor whiten(const Tensor& inputs) {
  const Tensor flat = inputs.flatten(1);
  const double least = 1 / std::sqrt(static_cast<double>(flat.size(1)));
  const auto [variance, mean] = at::var_mean(flat, at::IntArrayRef{1}, /*unbiased=*/false);
  return inputs.sub(per_example(mean, inputs)).div_(per_example(variance.sqrt().clamp_min(least), inputs));
}

Tensor to_unit_norm(const Tensor& inputs) {
  const Tensor norms = inputs.flatten(1).norm(2, {1});
  return inputs.div(per_example(norms.masked_fill(norms.eq(0), 1), inputs));
}

/// (b, size) positions `start`, `start` + 1, ... of each image, in the padded image.
Tensor crop_positions(const Tensor& start, int64_t size) {
  return start.unsqueeze(1) + at::arange(size, start.options());
}

/// The first row or column of each crop, (b).
Tensor crop_starts(int64_t b, int64_t extent, int64_t side, const AugmentationOptions& options,
                   at::Generator& generator) {
  const at::TensorOptions integers(at::kLong);
  if (!options.random_crop) return at::full({b}, (extent - side) / 2, integers);
  return at::randint(0, extent - side + 1, {b}, generator, integers);
}

}  // namespace

Tensor to_unit_range(const Tensor& inputs, const PreprocessingOptions& options, at::ScalarType dtype) {
  const Tensor cropped = options.crop ? crop_centre(inputs, *options.crop) : inputs;
  const Tensor converted = cropped.to(dtype).contiguous();
  // The conversion has made a new tensor, which may be scaled in place.
  return inputs.scalar_type() == at::kByte ? converted.div_(255) : converted;
}

Normalizer::Normalizer(Normalization kind, const Tensor& train_inputs) : kind_(kind) {
  if (kind != Normalization::standardize) return;
  const std::vector<int64_t> over =
      train_inputs.dim() == 4 ? std::vector<int64_t>{0, 2, 3} : std::vector<int64_t>{0};
  const auto [variance, mean] = at::var_mean(train_inputs, over, /*unbiased=*/false, /*keepdim=*/true);
  mean_ = mean;
  deviation_ = variance.sqrt().masked_fill(variance.eq(0), 1);
}

Tensor Normalizer::operator()(const Tensor& inputs) const {
  switch (kind_) {
    case Normalization::none:
      return inputs;
    case Normalization::whiten:
      return whiten(inputs);
    case Normalization::standardize:
      return inputs.sub(mean_.to(inputs.options())).div_(deviation_.to(inputs.options()));
    case Normalization::unit_norm:
      return to_unit_norm(inputs);
  }
  throw ContractError("unknown normalization");
}

Tensor augment(const Tensor& images, const AugmentationOptions& options, int64_t side,
               at::Generator& generator) {
  expects(images.dim() == 4, "augment needs images (b, channels, height, width), got {} dimensions",
          images.dim());
  const int64_t padding = options.random_crop ? options.padding : 0;
  const int64_t b = images.size(0), height = images.size(2) + 2 * padding,
                width = images.size(3) + 2 * padding;
  expects(side > 0 && side <= height && side <= width, "a crop of side {} does not fit into {} x {} pixels",
          side, height, width);
  const Tensor rows = crop_positions(crop_starts(b, height, side, options, generator), side);
  Tensor columns = crop_positions(crop_starts(b, width, side, options, generator), side);
  if (options.flip) {
    const Tensor mirrored = at::randint(0, 2, {b, 1}, generator, at::TensorOptions(at::kLong)).to(at::kBool);
    columns = at::where(mirrored, columns.flip({1}), columns);
  }
  const Tensor padded =
      padding > 0 ? at::constant_pad_nd(images, {padding, padding, padding, padding}) : images;
  const at::TensorOptions here = at::TensorOptions(at::kLong).device(images.device());
  const Tensor image = at::arange(b, here).view({b, 1, 1, 1});
  const Tensor channel = at::arange(images.size(1), here).view({1, -1, 1, 1});
  return padded.index({image, channel, rows.to(images.device()).view({b, 1, side, 1}),
                       columns.to(images.device()).view({b, 1, 1, side})});
}

}  // namespace plumb
