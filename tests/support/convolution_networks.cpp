#include "support/layer_case_list.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;

/// A convolution of images (3, 4, 7, 6) between two others, then a linear layer on the mean of each channel.
void add_convolution(LayerCaseList& list, const std::string& name, const nn::Conv2dOptions& options) {
  nn::Conv2d before = list.part(nn::Conv2d(nn::Conv2dOptions(4, options.in_channels(), 2)));
  nn::Conv2d middle = list.part(nn::Conv2d(options));
  nn::Linear head = list.part(nn::Linear(options.out_channels(), 3));
  list.add(name, {3, 4, 7, 6}, [=](const Tensor& x) mutable {
    return head(middle(before(x).tanh()).tanh().mean({2, 3}));
  });
}

void add_convolutions(LayerCaseList& list) {
  add_convolution(list, "convolution", nn::Conv2dOptions(2, 5, 3));
  add_convolution(list, "convolution without bias, padded",
                  nn::Conv2dOptions(2, 3, 3).padding(1).bias(false));
  add_convolution(list, "convolution of one pixel", nn::Conv2dOptions(3, 5, 1));
  add_convolution(list, "strided convolution, oblong",
                  nn::Conv2dOptions(3, 4, {3, 2}).stride({2, 3}).padding({0, 1}));
  add_convolution(list, "dilated convolution", nn::Conv2dOptions(2, 3, {3, 2}).dilation({2, 3}).padding(2));
  add_convolution(list, "grouped convolution", nn::Conv2dOptions(4, 6, 3).groups(2));
  add_convolution(list, "depthwise convolution", nn::Conv2dOptions(3, 6, 3).groups(3).padding(1));
  add_convolution(
      list, "everything at once",
      nn::Conv2dOptions(4, 8, {3, 2}).groups(2).stride(2).dilation({1, 2}).padding({2, 1}).bias(false));
  add_convolution(list, "convolution with reflected borders",
                  nn::Conv2dOptions(2, 3, 3).padding(2).padding_mode(torch::kReflect));
  add_convolution(list, "circular convolution",
                  nn::Conv2dOptions(2, 3, 3).padding(1).padding_mode(torch::kCircular));
  add_convolution(list, "convolution that keeps the size",
                  nn::Conv2dOptions(2, 3, {3, 5}).padding(torch::kSame));
  add_convolution(list, "convolution of the whole image", nn::Conv2dOptions(2, 4, {6, 5}));
}

void add_convolution_networks(LayerCaseList& list) {
  nn::Conv1d line = list.part(nn::Conv1d(nn::Conv1dOptions(2, 4, 3).stride(2).padding(1)));
  nn::Linear line_head = list.part(nn::Linear(4, 2));
  list.add("one-dimensional convolution", {3, 2, 9},
           [=](const Tensor& x) mutable { return line_head(line(x).tanh().amax(2)); });

  nn::Conv3d volume = list.part(nn::Conv3d(nn::Conv3dOptions(2, 3, {2, 3, 2})));
  list.add("three-dimensional convolution", {2, 2, 3, 4, 4}, [=](const Tensor& x) mutable {
    return volume(x).tanh().mean({2, 3, 4});
  });

  nn::ConvTranspose2d back = list.part(nn::ConvTranspose2d(
      nn::ConvTranspose2dOptions(4, 6, 3).stride(2).padding(1).output_padding(1).groups(2)));
  list.add("transposed convolution", {3, 4, 3, 3}, [=](const Tensor& x) mutable {
    return back(x).tanh().mean({2, 3});
  });

  nn::Sequential batch =
      list.part(nn::Sequential(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).bias(false)), nn::BatchNorm2d(4),
                               nn::ReLU(), nn::MaxPool2d(2), nn::Conv2d(nn::Conv2dOptions(4, 3, 2)),
                               nn::BatchNorm2d(3), nn::ReLU(), nn::Flatten(), nn::Linear(3, 3)));
  list.add("batch normalization of images, pooling", {3, 2, 6, 6},
           [=](const Tensor& x) mutable { return batch->forward(x); });

  nn::Sequential group = list.part(nn::Sequential(
      nn::Conv2d(2, 6, 3), nn::GroupNorm(nn::GroupNormOptions(3, 6)), nn::Tanh(), nn::AvgPool2d(2),
      nn::Conv2d(6, 4, 1), nn::InstanceNorm2d(nn::InstanceNorm2dOptions(4).affine(true)), nn::Tanh(),
      nn::Flatten(), nn::Linear(16, 3)));
  list.add("group and instance normalization", {3, 2, 6, 6},
           [=](const Tensor& x) mutable { return group->forward(x); });

  nn::Conv2d stem = list.part(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).padding(1)));
  nn::Conv2d branch = list.part(nn::Conv2d(nn::Conv2dOptions(4, 6, 3).padding(1).stride(2)));
  nn::Conv2d shortcut = list.part(nn::Conv2d(nn::Conv2dOptions(4, 6, 1).stride(2).bias(false)));
  list.add("residual convolutions", {3, 2, 6, 6}, [=](const Tensor& x) mutable {
    const Tensor h = stem(x).tanh();
    return (branch(h) + shortcut(h)).tanh().mean({2, 3});
  });

  nn::Conv2d twice = list.part(nn::Conv2d(nn::Conv2dOptions(3, 3, 3).padding(1)));
  list.add("one convolution twice", {3, 3, 4, 4}, [=](const Tensor& x) mutable {
    return twice(twice(x).tanh()).tanh().mean({2, 3});
  });

  nn::Conv2d parallel = list.part(nn::Conv2d(2, 3, 2));
  nn::Conv2d wide = list.part(nn::Conv2d(nn::Conv2dOptions(2, 2, 4).padding(1)));
  list.add("concatenated convolutions of images with their channels last", {3, 2, 5, 5},
           [=](const Tensor& x) mutable {
             const Tensor laid_out = x.contiguous(at::MemoryFormat::ChannelsLast);
             return torch::cat({parallel(laid_out), wide(laid_out)}, 1).tanh().mean({2, 3});
           });

  Tensor kernel = list.parameter({3, 2, 3, 3});
  Tensor gain = list.parameter({3, 1, 1});
  list.add("scaled kernel and channels", {3, 2, 5, 5}, [=](const Tensor& x) {
    return (torch::conv2d(x, 0.5 * kernel.flip(3)) * gain).tanh().mean({2, 3});
  });
}

}  // namespace

std::vector<LayerCase> convolution_layer_cases() {
  LayerCaseList list;
  add_convolutions(list);
  add_convolution_networks(list);
  return list.take();
}

}  // namespace plumb::test
