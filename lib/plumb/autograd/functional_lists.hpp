/// The functions of functional.hpp over lists of tensors, and their options.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb::autograd::functional {

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensors(const Tensors&)>;

/// Which way derivatives are carried through a function: from the outputs back, or along with the values.
/// Forward mode needs LibTorch's one dual level, and a forward formula of every operator.
enum class Strategy { reverse_mode, forward_mode };

/// Options of the products with a vector.
struct ProductOptions {
  bool create_graph = false;  // outputs and product can be differentiated
  bool strict = false;        // refuse what is independent of an input instead of returning 0
};

/// Options of jacobian.
struct JacobianOptions {
  bool create_graph = false;  // the result can be differentiated; not in forward mode
  bool strict = false;  // refuse an output independent of an input; neither vectorized nor in forward mode
  bool vectorize =
      false;  // all rows (columns) in one pass where LibTorch can batch it; the result is the same
  Strategy strategy = Strategy::reverse_mode;  // forward mode needs vectorize, as in Python
};

/// Options of hessian: the Jacobian of the gradient; the gradient itself is always taken in reverse mode. In
/// forward mode the backward formulas need forward formulas in turn, which those of batch and layer
/// normalization have in Python only.
struct HessianOptions {
  bool create_graph = false;
  bool strict = false;
  bool vectorize = false;
  Strategy outer_jacobian_strategy = Strategy::reverse_mode;
};

/// The v of a product: one Tensor, a list, or nothing.
class Vector {
 public:
  Vector() = default;
  Vector(const Tensor& v) : tensors_(Tensors{v}) {}
  Vector(Tensors v) : tensors_(std::move(v)) {}
  Vector(std::initializer_list<Tensor> v) : tensors_(Tensors(v)) {}

  const std::optional<Tensors>& tensors() const { return tensors_; }

 private:
  std::optional<Tensors> tensors_;
};

/// See functional.hpp for each; Jacobians and Hessians are indexed [output][input].
namespace lists {

struct Product {
  Tensors outputs;
  Tensors product;
};

std::vector<Tensors> jacobian(const Function& function, const Tensors& inputs,
                              const JacobianOptions& options);
std::vector<Tensors> hessian(const Function& function, const Tensors& inputs, const HessianOptions& options);
Product vjp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options);
Product jvp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options);
Product hvp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options);
Product vhp(const Function& function, const Tensors& inputs, const Vector& v, const ProductOptions& options);

}  // namespace lists
}  // namespace plumb::autograd::functional
