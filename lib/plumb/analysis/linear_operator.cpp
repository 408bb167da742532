#include "plumb/analysis/linear_operator.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

void expects_block(const Tensor& x, int64_t length, const char* product) {
  expects(x.defined() && x.dim() == 2 && x.size(0) == length,
          "{}: a block of shape {}; shape ({}, b) is expected", product,
          x.defined() ? fmt::format("({})", fmt::join(x.sizes().vec(), ", ")) : "none", length);
}

const Tensor& floating_matrix(const Tensor& matrix, const char* what) {
  expects(matrix.defined() && matrix.dim() == 2 && matrix.is_floating_point(),
          "{}: not a floating-point matrix; a tensor of two dimensions is expected", what);
  return matrix;
}

Tensor columns_by_unit_vectors(int64_t length, int64_t block, const at::TensorOptions& options,
                               const BlockFunction& apply) {
  expects(block > 0, "dense matrix: a block of {} vectors; at least one is expected", block);
  std::vector<Tensor> columns;
  for (int64_t first = 0; first < length; first += block) {
    const int64_t width = std::min(block, length - first);
    Tensor units = at::zeros({length, width}, options);
    units.narrow(0, first, width).diagonal().fill_(1);
    columns.push_back(apply(units));
  }
  return at::cat(columns, 1);
}

}  // namespace

DenseOperator::DenseOperator(Tensor matrix) : matrix_(floating_matrix(std::move(matrix), "dense operator")) {}

Tensor DenseOperator::apply(const Tensor& x) const {
  expects_block(x, columns(), "dense operator: A X");
  return at::matmul(matrix_, x);
}

Tensor DenseOperator::apply_transposed(const Tensor& y) const {
  expects_block(y, rows(), "dense operator: A^T Y");
  return at::matmul(matrix_.t(), y);
}

DenseSymmetricOperator::DenseSymmetricOperator(Tensor matrix)
    : matrix_(floating_matrix(std::move(matrix), "dense symmetric operator")) {
  expects(matrix_.size(0) == matrix_.size(1),
          "dense symmetric operator: {} x {}; a square matrix is expected", matrix_.size(0), matrix_.size(1));
}

Tensor DenseSymmetricOperator::apply(const Tensor& x) const {
  expects_block(x, size(), "dense symmetric operator: A X");
  return at::matmul(matrix_, x);
}

FunctionOperator::FunctionOperator(int64_t rows, int64_t columns, at::TensorOptions options,
                                   BlockFunction apply, BlockFunction apply_transposed)
    : rows_(rows),
      columns_(columns),
      options_(options),
      apply_(std::move(apply)),
      apply_transposed_(std::move(apply_transposed)) {}

Tensor FunctionOperator::apply(const Tensor& x) const {
  expects_block(x, columns_, "operator: A X");
  Tensor y = apply_(x);
  expects_block(y, rows_, "operator: the function's A X");
  return y;
}

Tensor FunctionOperator::apply_transposed(const Tensor& y) const {
  expects_block(y, rows_, "operator: A^T Y");
  Tensor x = apply_transposed_(y);
  expects_block(x, columns_, "operator: the function's A^T Y");
  return x;
}

SymmetricFunctionOperator::SymmetricFunctionOperator(int64_t size, at::TensorOptions options,
                                                     BlockFunction apply)
    : size_(size), options_(options), apply_(std::move(apply)) {}

Tensor SymmetricFunctionOperator::apply(const Tensor& x) const {
  expects_block(x, size_, "symmetric operator: A X");
  Tensor y = apply_(x);
  expects_block(y, size_, "symmetric operator: the function's A X");
  return y;
}

Tensor ShiftedOperator::apply(const Tensor& x) const { return a_.apply(x) * scale_ + x * shift_; }

Tensor GramOperator::apply(const Tensor& x) const {
  return side_ == GramSide::rows ? a_.apply(a_.apply_transposed(x)) : a_.apply_transposed(a_.apply(x));
}

Tensor dense_matrix(const LinearOperator& a, int64_t block) {
  return columns_by_unit_vectors(a.columns(), block, a.options(),
                                 [&](const Tensor& x) { return a.apply(x); });
}

Tensor dense_matrix(const SymmetricOperator& a, int64_t block) {
  return columns_by_unit_vectors(a.size(), block, a.options(), [&](const Tensor& x) { return a.apply(x); });
}

}  // namespace plumb
