#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

/// h^2, by a function of our own.
struct OwnSquare : torch::autograd::Function<OwnSquare> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& h) {
    context->save_for_backward({h});
    return h * h;
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    return {2 * context->get_saved_variables()[0] * gradients[0]};
  }
};

Layer smooth_function(Draw& draw) {
  switch (draw.between(0, 13)) {
    case 0:
      return [](const Tensor& h) { return torch::gelu(h); };
    case 1:
      return [](const Tensor& h) { return h.sigmoid(); };
    case 2:
      return [](const Tensor& h) { return torch::silu(h); };
    case 3:
      return [](const Tensor& h) { return torch::softplus(h); };
    case 4:
      return [](const Tensor& h) { return h.sin(); };
    case 5:
      return [](const Tensor& h) { return (h.square() + 0.3).sqrt(); };
    case 6:
      return [](const Tensor& h) { return (-h.square()).exp() + 0.1 * h; };
    case 7:
      return [](const Tensor& h) { return h * h.sigmoid(); };
    case 8:
      return [](const Tensor& h) { return OwnSquare::apply(h) * 0.5; };
    case 9:
      return [](const Tensor& h) { return torch::softmax(h, -1) * 2; };
    case 10:
      return [](const Tensor& h) { return torch::log_softmax(h, -1); };
    case 11:
      return [](const Tensor& h) { return h / (h.square().sum(-1, true) + 0.1).sqrt(); };
    case 12:
      return [](const Tensor& h) { return h.cumsum(-1) * 0.5; };
    default:
      return [](const Tensor& h) { return torch::layer_norm(h, {h.size(-1)}); };
  }
}

Layer kinked_function(Draw& draw) {
  switch (draw.between(0, 6)) {
    case 0:
      return [](const Tensor& h) { return torch::leaky_relu(h, 0.1); };
    case 1:
      return [](const Tensor& h) { return torch::elu(h); };
    case 2:
      return [](const Tensor& h) { return h.abs(); };
    case 3:
      return [](const Tensor& h) { return h.clamp(-0.5, 0.7) + 0.1 * h; };
    case 4:
      return [](const Tensor& h) { return std::get<0>(h.sort(-1)); };
    case 5:
      return [](const Tensor& h) { return torch::maximum(h, h.flip(-1)); };
    default:
      return [](const Tensor& h) { return torch::relu(h); };
  }
}

/// What autograd takes for constant, or for something else than it is.
Layer stopped_function(Draw& draw) {
  draw.smooth = false;
  switch (draw.between(0, 4)) {
    case 0:
      draw.say("gate without gradient");
      return [](const Tensor& h) { return h * h.detach().sigmoid(); };
    case 1:
      draw.say("norm under no_grad");
      return [](const Tensor& h) {
        Tensor size;
        {
          const torch::NoGradGuard no_graph;
          size = h.norm(2, -1, true) + 0.1;
        }
        return h / size;
      };
    case 2:
      draw.say("rounding, straight through");
      return [](const Tensor& h) { return h.tanh() + ((4 * h).round() / 4 - h).detach(); };
    case 3:
      draw.say("scale of its own largest feature, detached");
      return [](const Tensor& h) { return h / (h.detach().abs().amax(-1, true) + 0.1); };
    default:
      draw.say("half detached");
      return [](const Tensor& h) { return (0.5 * h + 0.5 * h.detach()).tanh(); };
  }
}

}  // namespace

Layer random_activation(Draw& draw) {
  const int64_t kind = draw.between(0, 19);
  if (kind < 6) {
    draw.say("tanh");
    return [](const Tensor& h) { return h.tanh(); };
  }
  if (kind < 12) return smooth_function(draw);
  if (kind < 16) return kinked_function(draw);
  if (kind < 18) {
    torch::nn::PReLU prelu = draw.part(torch::nn::PReLU());
    draw.say("PReLU");
    return [=](const Tensor& h) mutable { return prelu(h); };
  }
  return stopped_function(draw);
}

}  // namespace plumb::test
