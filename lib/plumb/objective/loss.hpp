/// The training loss L(w): what is summed over examples, and how the sum is normalized.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plumb/core/registry.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/objective/targets.hpp"

namespace plumb {

enum class Reduction { mean, sum };

/// L over a set of examples = reduction over them of l(h(x_i), y_i). A batch is reduced over the batch.
struct Loss {
  /// sum_i l(h_i, y_i). outputs: (b, c) floating; targets of a kind that the loss takes, see TargetKind; a
  /// scalar that can be differentiated.
  std::function<Tensor(const Tensor& outputs, const Tensor& targets)> sum;
  Reduction reduction = Reduction::mean;
  bool takes_classes = true;
  bool takes_real = false;
  /// Where l(h, y) = factor ||h - y||^2 (of a class, y is its one-hot vector): the factor. Theorems about
  /// least squares need it, and no others apply.
  std::optional<double> square_factor = {};

  bool takes(TargetKind kind) const { return kind == TargetKind::classes ? takes_classes : takes_real; }
  /// The factor from a sum over examples to L when the set holds `examples` of them.
  double scale(int64_t examples) const {
    return reduction == Reduction::mean ? 1.0 / static_cast<double>(examples) : 1.0;
  }
};

/// The option that every loss has.
struct LossOptions {
  Reduction reduction = Reduction::mean;

  void fields(Fields& f);
};

/// cross_entropy: l = -log softmax(h)_y, of classes. square: l = factor ||h - y||^2, of real numbers, and of
/// classes with y the one-hot vector; factor 1 is the convention of L = ||h - y||^2, factor 0.5 that of
/// L = 1/2 ||h - y||^2.
using Losses = Registry<Loss()>;
Losses& losses();

}  // namespace plumb
