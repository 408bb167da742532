#include "plumb/models/activation.hpp"

#include <ATen/ATen.h>

namespace plumb {

Tensor activate(const Tensor& inputs, Activation kind, double negative_slope) {
  switch (kind) {
    case Activation::linear:
      return inputs;
    case Activation::relu:
      return at::relu(inputs);
    case Activation::leaky_relu:
      return at::leaky_relu(inputs, negative_slope);
    case Activation::tanh:
      return at::tanh(inputs);
    case Activation::gelu:
      return at::gelu(inputs);
    case Activation::softplus:
      return at::softplus(inputs);
    case Activation::erf:
      return at::erf(inputs);
  }
  return inputs;  // an enumerator outside the list above cannot be made from a description
}

}  // namespace plumb
