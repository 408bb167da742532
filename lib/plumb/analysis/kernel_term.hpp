/// A part of the Jacobian of a block of examples, kept in the factors it comes in: what a tangent kernel is
/// summed from.
#pragma once

#include <utility>
#include <vector>

#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/recorded_graph.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// How a term keeps its part of J, and so how its contribution J J' is computed. For a weight matrix (b, a)
/// that meets inputs u_t (a) at positions t = 1..T, the gradient of output k is sum_t d_kt u_t', with d_kt
/// (b) the cotangent there.
enum class TermForm {
  rows,       // the entries of J themselves
  product,    // T = 1: <d d~><u u~>, never the gradient: (U U~') o (D D~')
  identity,   // T = 1 and d_k = s e_k, the last layer: s^2 (U U~') x I, a Kronecker product
  positions,  // sum over t, t' of <u_t u~_t'><d_t d~_t'>
  outer,      // the gradients sum_t d_kt u_t', formed for a few rows of the weight at a time
};

/// The inputs u_t of a weight matrix, (examples, T, a), made when asked for: patches of an image are T a
/// numbers for a T numbers of image.
class TermInputs {
 public:
  TermInputs() = default;
  /// saved: as in ParameterUse. `group` is that of a grouped convolution; each u_t is multiplied by factor
  /// and, when `bias` is not 0, followed by it as one more number, which stands for the bias.
  TermInputs(const autograd::ParameterUse& use, int64_t examples, int64_t group, double bias,
             at::ScalarType dtype);

  Tensor slice(int64_t begin, int64_t end) const;  // (end - begin, T, a)
  int64_t examples() const { return examples_; }
  double bias() const { return bias_; }
  bool is_lookup() const { return kind_ == autograd::UseKind::lookup; }
  /// The sum over examples and positions of d_t u_t, (a), for d (examples, T).
  Tensor weighted_by(const Tensor& d) const;
  /// The root of the sum of |d_t u_t|^2, which does not cancel.
  double size_of_weighted(const Tensor& d) const;
  /// Every <u_t u~_t'>: (T examples of mine, T' examples of the other).
  Tensor gram(int64_t begin, int64_t end, const TermInputs& other, int64_t other_begin,
              int64_t other_end) const;

 private:
  /// work(begin, end, the u_t of these examples), (T examples, a).
  template <class Work>
  void in_pieces(const Work& work) const;

  autograd::UseKind kind_ = autograd::UseKind::product;
  Tensor saved_;
  autograd::ConvolutionShape convolution_;
  int64_t examples_ = 0, classes_ = 0, skipped_ = -1;
  double factor_ = 1, bias_ = 0;
  at::ScalarType dtype_ = at::kFloat;
};

struct KernelTerm {
  TermForm form = TermForm::rows;
  int64_t parameter = 0;  // the first of those it stands for
  Tensor rows;            // rows: (examples, outputs, P)
  TermInputs inputs;      // all other forms
  Tensor cotangents;      // product, identity: (examples, outputs, b); positions, outer: (..., b, T)
  double scale = 0;       // identity: s
  int64_t outputs = 0, first_output = 0;  // which outputs these are
  bool by_columns = false;                // the parameter is kept as (a, b)
};

/// J_p' u of the parameter that a term of form rows stands for, flat, for weights u (examples, c).
Tensor pull_back_rows(const KernelTerm& term, const Tensor& weights);

/// By how much the term's J_p' u differs from `gradient`, LibTorch's, as a matrix (b, a) of one group: both
/// multiplied by a random vector z (b) from the left, which costs no product of matrices (Freivalds 1979).
/// `bias_gradient` (b): of the bias that is taken along; undefined: none. Relative to the gradient; where
/// that comes near what is `allowed`, to the size of its summands, which do not cancel.
double gradient_error(const KernelTerm& term, const Tensor& weights, const Tensor& gradient,
                      const Tensor& bias_gradient, double allowed, CheckDraws& draws);

/// How the kernel's entries are indexed.
enum class KernelOutputs {
  pairs,   // (n c, n' c): entry (i c + k, j c + l) = <dh_k(x_i)/dw, dh_l(x_j)/dw>
  summed,  // (n, n'): the trace over outputs, sum_k <dh_k(x_i)/dw, dh_k(x_j)/dw>
};

/// Adds J J~' of two terms of the same part of J to `block`, (n c, n~ c) or (n, n~). With `lower_half`, both
/// are the same examples and only what lies on or below the diagonal, in tiles, is added. `scratch` bounds
/// the bytes of temporary tensors, roughly.
void add_contribution(const Tensor& block, const KernelTerm& left, const KernelTerm& right,
                      KernelOutputs outputs, bool lower_half, int64_t scratch);

/// Copies the lower half of a square matrix onto the upper one.
void mirror_lower_half(const Tensor& matrix);

}  // namespace plumb
