/// What the recorded autograd graph of a forward pass holds about each parameter: the operation that consumed
/// it and the tensors that this operation saved.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/core/compat.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb::autograd {

/// How the gradient of a parameter follows from the cotangent D of the output of the operation that used it.
enum class UseKind {
  product,      // rows of saved (r, a) times an (a, b) matrix; D: (r, b); gradient saved' D
  convolution,  // saved: the input (n, channels, ...); D: (n, b, ...)
  lookup,       // an embedding; saved: indices; D: (indices..., b)
  scale,        // D's shape times the parameter's, broadcast; saved: the other factor
  shift,        // added to D's shape, broadcast
};

struct ConvolutionShape {
  std::vector<int64_t> kernel, stride, padding, dilation;  // two numbers each
  int64_t groups = 1;
};

/// One place where a parameter enters the graph. Gradients are with respect to the tensor that entered, of
/// shape `shape`; it is the parameter itself, or a transposition, reshaping and multiple of it.
struct ParameterUse {
  int64_t parameter = 0;  // which of the parameters asked for
  NodePointer node;       // D is what backward hands to it
  UseKind kind = UseKind::shift;
  std::vector<int64_t> shape;  // of the tensor that entered
  bool transposed = false;     // the tensor that entered is the transposed parameter
  double factor = 1;           // gradient with respect to the parameter / (what `kind` says of D)
  Tensor saved;                // see UseKind; for a convolution of one spatial axis with a second of length 1
  ConvolutionShape convolution;  // of a convolution
  int64_t skipped_index = -1;    // of a lookup: the index that gets no gradient
  bool expanded = false;         // the tensor that entered repeats the parameter's entries
  std::vector<int64_t> output;   // shape of D
  bool rows_of_product = false;  // of a shift: D has the rows of a product, to which it is added
  bool examples_second =
      false;  // D and saved have (positions, examples, ...); the graph does not tell: for callers

  /// Whether the parameter multiplies as a matrix what the operation saved.
  bool is_matrix() const;
  /// b, the outputs of that matrix, per group; and a, its inputs.
  int64_t matrix_rows() const;
  int64_t matrix_columns() const;
  /// T, the positions at which it multiplies something of one example.
  int64_t positions(int64_t examples) const;
  /// D, or a tensor of its shape, with the examples first; of a product as (examples, T, b).
  Tensor examples_first(const Tensor& d, int64_t examples) const;
  /// D of a matrix as (examples, b, T) of one group.
  Tensor by_channel(const Tensor& d, int64_t examples, int64_t group) const;
};

/// The uses of `parameters` that were recognised, and which parameters have a use that was not.
struct RecordedUses {
  std::vector<ParameterUse> uses;
  std::vector<std::string> unrecognised;  // for every parameter: the operation's name, empty when all were
  uint64_t fingerprint = 0;               // of the operations and how they are connected
};

/// Numbers in all tensors that backward from `output` passes through, but for those that only move or
/// multiply one of `parameters`. Allocates each once: for small batches.
int64_t recorded_values(const Tensor& output, const std::vector<Tensor>& parameters);

/// Walks the graph that computed `output`. Recognised are matrix products (addmm, mm), convolutions of one or
/// two axes that are not transposed, batch normalization with running means, layer and group normalization,
/// embeddings, and elementwise products and sums. What is read is a reading: callers hold it against
/// gradients.
RecordedUses read_recorded_uses(const Tensor& output, const std::vector<Tensor>& parameters);

/// The cotangents D of every use when `cotangent` is that of `output`, followed by the gradients of `leaves`;
/// undefined where nothing arrives. The graph is kept.
std::vector<Tensor> pull_back(const Tensor& output, const Tensor& cotangent,
                              const std::vector<ParameterUse>& uses, const std::vector<Tensor>& leaves = {});

}  // namespace plumb::autograd
