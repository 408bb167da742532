#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;

/// Images (n, channels, size, size) to images of some channels and at least two by two pixels.
Layer convolution(Draw& draw, int64_t& channels, int64_t& size) {
  const int64_t in = channels;
  switch (draw.between(0, 10)) {
    case 0:
    case 1: {
      channels = draw.width(2, 4);
      auto options =
          nn::Conv2dOptions(in, channels, draw.chance(0.5) ? 3 : 2).padding(1).bias(draw.chance(0.6));
      const bool circular = draw.chance(0.3);
      if (circular) options.padding_mode(torch::kCircular);
      nn::Conv2d conv = draw.part(nn::Conv2d(options));
      size = size + 2 - (*options.kernel_size())[0] + 1;
      draw.say(circular ? "circular Conv2d" : "Conv2d");
      return [=](const Tensor& x) mutable { return conv(x); };
    }
    case 2: {
      channels = 2 * in;
      nn::Conv2d conv = draw.part(nn::Conv2d(nn::Conv2dOptions(in, channels, 3).groups(in).padding(1)));
      draw.say("depthwise Conv2d");
      return [=](const Tensor& x) mutable { return conv(x); };
    }
    case 3: {
      channels = draw.width(2, 4);
      nn::Conv2d conv = draw.part(
          nn::Conv2d(nn::Conv2dOptions(in, channels, 2).stride(2).padding(1).dilation(draw.between(1, 2))));
      size = (size + 2 - (*conv->options.dilation())[0] - 1) / 2 + 1;
      draw.say("strided, dilated Conv2d");
      return [=](const Tensor& x) mutable { return conv(x); };
    }
    case 4: {
      channels = draw.width(2, 3);
      nn::ConvTranspose2d conv = draw.part(nn::ConvTranspose2d(nn::ConvTranspose2dOptions(in, channels, 2)));
      size += 1;
      draw.say("ConvTranspose2d");
      return [=](const Tensor& x) mutable { return conv(x); };
    }
    case 5: {
      channels = draw.width(2, 4);
      nn::Conv1d conv = draw.part(nn::Conv1d(nn::Conv1dOptions(in * size, channels * size, 1)));
      const int64_t out = channels, side = size;
      draw.say("Conv1d over the columns of images");
      return [=](const Tensor& x) mutable {
        return conv(x.reshape({x.size(0), in * side, side})).view({x.size(0), out, side, side});
      };
    }
    case 6: {
      nn::Conv3d conv = draw.part(nn::Conv3d(nn::Conv3dOptions(1, 2, {1, 3, 3}).padding({0, 1, 1})));
      channels = 2 * in;
      draw.say("Conv3d with channels as depth");
      return [=](const Tensor& x) mutable { return conv(x.unsqueeze(1)).flatten(1, 2); };
    }
    case 7: {
      channels = draw.width(2, 4);
      const int64_t out = channels, side = size;
      Weight w = random_matrix(draw, in * 9, channels);
      draw.say("unfolded patches times a matrix");
      return [=](const Tensor& x) {
        const Tensor patches = F::unfold(x, F::UnfoldFuncOptions(3).padding(1));
        return w().t().matmul(patches).view({x.size(0), out, side, side});
      };
    }
    case 8: {
      channels = draw.width(2, 4);
      const int64_t out = channels;
      Weight w = random_matrix(draw, in * 9, channels);
      draw.say("conv2d with a made kernel");
      return [=](const Tensor& x) { return torch::conv2d(x, w().t().reshape({out, in, 3, 3}), {}, 1, 1); };
    }
    case 9: {
      channels = draw.width(2, 3);
      const int64_t out = channels;
      Weight w = random_matrix(draw, in * 9, channels);
      draw.say("grouped conv2d with a group for each example");
      return [=](const Tensor& x) {
        const int64_t n = x.size(0);
        const Tensor kernel = w().t().reshape({out, in, 3, 3}).repeat({n, 1, 1, 1});
        const Tensor y = torch::conv2d(x.reshape({1, n * in, x.size(2), x.size(3)}), kernel, {}, 1, 1, 1, n);
        return y.view({n, out, x.size(2), x.size(3)});
      };
    }
    default: {
      channels = draw.width(2, 4);
      nn::Conv2d conv = draw.part(nn::Conv2d(nn::Conv2dOptions(in, channels, {1, 3}).padding({0, 1})));
      draw.say("examples as rows of images");
      const int64_t out = channels, side = size;
      return [=](const Tensor&
                     x) mutable {  // (1, channels, n size, size): the kernel does not reach another row
        const Tensor wide = x.transpose(0, 1).reshape({1, in, -1, side});
        return conv(wide).view({out, x.size(0), side, side}).transpose(0, 1);
      };
    }
  }
}

Layer image_step(Draw& draw, int64_t channels, int64_t& size) {
  switch (draw.between(0, 7)) {
    case 0: {
      nn::BatchNorm2d norm = draw.part(nn::BatchNorm2d(channels));
      draw.say("BatchNorm2d in evaluation");
      return [=](const Tensor& x) mutable { return norm(x); };
    }
    case 1: {
      nn::InstanceNorm2d norm =
          draw.part(nn::InstanceNorm2d(nn::InstanceNorm2dOptions(channels).affine(true)));
      draw.say("InstanceNorm2d");
      return [=](const Tensor& x) mutable { return norm(x); };
    }
    case 2: {
      nn::GroupNorm norm = draw.part(nn::GroupNorm(nn::GroupNormOptions(1, channels)));
      draw.say("GroupNorm");
      return [=](const Tensor& x) mutable { return norm(x).tanh(); };
    }
    case 3: {
      Tensor scale = draw.parameter({channels, 1, 1});
      draw.say("channels scaled");
      return [=](const Tensor& x) { return x.sin() * scale; };
    }
    case 4: {
      if (size < 4) break;
      size = size / 2;
      const bool largest = draw.chance(0.5);
      draw.say(largest ? "max-pool" : "mean-pool");
      return [=](const Tensor& x) { return largest ? torch::max_pool2d(x, 2) : torch::avg_pool2d(x, 2); };
    }
    case 5: {
      Tensor map = draw.parameter({1, 1, size, size});
      draw.say("map over pixels");
      return [=](const Tensor& x) { return (x * map).tanh(); };
    }
    case 6:
      draw.say("channels last");
      return [=](const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast).tanh(); };
    default:
      break;
  }
  draw.say("tanh");
  return [](const Tensor& x) { return x.tanh(); };
}

}  // namespace

Layer random_image_layer(Draw& draw, int64_t channels, int64_t size, int64_t e) {
  std::vector<Layer> layers;
  const int64_t count = draw.between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    layers.push_back(convolution(draw, channels, size));
    layers.push_back(image_step(draw, channels, size));
  }
  const int64_t flat = channels * size * size;
  const bool whole = flat <= 24 && draw.chance(0.5);
  Layer last = random_product(draw, whole ? flat : channels, e);
  draw.say(whole ? "flattened" : "mean of pixels");
  return [=](const Tensor& images) {
    Tensor x = images;
    for (const Layer& layer : layers) x = layer(x);
    return last(whole ? x.flatten(1) : x.mean({2, 3}));
  };
}

}  // namespace plumb::test
