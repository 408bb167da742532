/// The training loss L(w): what is summed over examples, and how the sum is normalized.
#pragma once

#include <functional>

#include "plumb/core/registry.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

enum class Reduction { mean, sum };

/// L over a set of examples = reduction over them of l(h(x_i), y_i). A batch is reduced over the batch.
struct Loss {
  /// sum_i l(h_i, y_i). outputs: (b, c) floating; labels: (b) int64; a scalar that can be differentiated.
  std::function<Tensor(const Tensor& outputs, const Tensor& labels)> sum;
  Reduction reduction = Reduction::mean;

  /// The factor from a sum over examples to L when the set holds `examples` of them.
  double scale(int64_t examples) const {
    return reduction == Reduction::mean ? 1.0 / static_cast<double>(examples) : 1.0;
  }
};

/// cross_entropy: l = -log softmax(h)_y. square: l = factor * ||h - e_y||^2 with e_y the one-hot target;
/// factor 1 is the convention of L = ||h - y||^2, factor 0.5 that of L = 1/2 ||h - y||^2.
using Losses = Registry<Loss()>;
Losses& losses();

}  // namespace plumb
