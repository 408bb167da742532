#include "plumb/lecture/first_layer.hpp"

#include <cmath>
#include <utility>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {

FirstLayer::FirstLayer(Tensor inputs, Tensor output_weights, Activation activation)
    : inputs_(std::move(inputs)), output_weights_(std::move(output_weights)), activation_(activation) {
  expects(inputs_.dim() == 2 && output_weights_.dim() == 1 && inputs_.scalar_type() == torch::kDouble &&
              output_weights_.scalar_type() == torch::kDouble,
          "first layer: inputs (n, d) and output weights (m) in float64 are expected");
  expects(
      activation == Activation::relu || activation == Activation::tanh || activation == Activation::softplus,
      "first layer: the slopes of relu, tanh and softplus are known, no others");
  output_weights_ = output_weights_ / std::sqrt(static_cast<double>(output_weights_.size(0)));
  gram_ = at::mm(inputs_, inputs_.t());
}

FirstLayer::Point FirstLayer::at(const Tensor& weights) const {
  const Tensor z = at::mm(inputs_, weights.t());
  const Tensor values = activate(z, activation_);
  Tensor slopes;
  if (activation_ == Activation::relu)
    slopes = (z >= 0).to(torch::kDouble);
  else if (activation_ == Activation::tanh)
    slopes = 1 - values.square();
  else
    slopes = at::sigmoid(z);
  return {at::mv(values, output_weights_), slopes};
}

Tensor FirstLayer::apply(const Tensor& slopes, const Tensor& directions) const {
  return at::mv(at::mm(inputs_, directions.t()).mul_(slopes), output_weights_);
}

Tensor FirstLayer::apply_transposed(const Tensor& slopes, const Tensor& examples) const {
  const Tensor sums = at::mm(slopes.t(), inputs_ * examples.unsqueeze(1));
  return sums * output_weights_.unsqueeze(1);
}

Tensor FirstLayer::kernel(const Tensor& slopes) const {
  return at::mm(slopes * output_weights_.square(), slopes.t()) * gram_;
}

}  // namespace plumb
