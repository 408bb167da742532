/// Matrices known by what they do to blocks of vectors: the form in which the algorithms of this room take
/// them.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// A linear map A from R^columns to R^rows.
class LinearOperator {
 public:
  LinearOperator() = default;
  LinearOperator(const LinearOperator&) = default;
  LinearOperator& operator=(const LinearOperator&) = default;
  virtual ~LinearOperator() = default;

  virtual int64_t rows() const = 0;
  virtual int64_t columns() const = 0;

  /// Dtype and device of the blocks taken and given.
  virtual at::TensorOptions options() const = 0;

  /// A X. x: (columns, b); result (rows, b).
  virtual Tensor apply(const Tensor& x) const = 0;

  /// A^T Y. y: (rows, b); result (columns, b).
  virtual Tensor apply_transposed(const Tensor& y) const = 0;
};

/// A symmetric linear map of R^size. Symmetry is the implementer's word; the algorithms do not check it.
class SymmetricOperator {
 public:
  SymmetricOperator() = default;
  SymmetricOperator(const SymmetricOperator&) = default;
  SymmetricOperator& operator=(const SymmetricOperator&) = default;
  virtual ~SymmetricOperator() = default;

  virtual int64_t size() const = 0;

  /// Dtype and device of the blocks taken and given.
  virtual at::TensorOptions options() const = 0;

  /// A X. x: (size, b); result (size, b).
  virtual Tensor apply(const Tensor& x) const = 0;
};

/// A matrix held in memory.
class DenseOperator : public LinearOperator {
 public:
  /// matrix: (rows, columns), floating.
  explicit DenseOperator(Tensor matrix);

  int64_t rows() const override { return matrix_.size(0); }
  int64_t columns() const override { return matrix_.size(1); }
  at::TensorOptions options() const override { return matrix_.options(); }
  Tensor apply(const Tensor& x) const override;
  Tensor apply_transposed(const Tensor& y) const override;

 private:
  Tensor matrix_;
};

/// A symmetric matrix held in memory; both triangles are used as they are.
class DenseSymmetricOperator : public SymmetricOperator {
 public:
  /// matrix: (size, size), floating.
  explicit DenseSymmetricOperator(Tensor matrix);

  int64_t size() const override { return matrix_.size(0); }
  at::TensorOptions options() const override { return matrix_.options(); }
  Tensor apply(const Tensor& x) const override;

 private:
  Tensor matrix_;
};

/// What an operator does, as a function of a block of vectors.
using BlockFunction = std::function<Tensor(const Tensor&)>;

/// A linear map given by two functions, which must be each other's transposes.
class FunctionOperator : public LinearOperator {
 public:
  FunctionOperator(int64_t rows, int64_t columns, at::TensorOptions options, BlockFunction apply,
                   BlockFunction apply_transposed);

  int64_t rows() const override { return rows_; }
  int64_t columns() const override { return columns_; }
  at::TensorOptions options() const override { return options_; }
  Tensor apply(const Tensor& x) const override;
  Tensor apply_transposed(const Tensor& y) const override;

 private:
  int64_t rows_;
  int64_t columns_;
  at::TensorOptions options_;
  BlockFunction apply_;
  BlockFunction apply_transposed_;
};

/// A symmetric map given by a function.
class SymmetricFunctionOperator : public SymmetricOperator {
 public:
  SymmetricFunctionOperator(int64_t size, at::TensorOptions options, BlockFunction apply);

  int64_t size() const override { return size_; }
  at::TensorOptions options() const override { return options_; }
  Tensor apply(const Tensor& x) const override;

 private:
  int64_t size_;
  at::TensorOptions options_;
  BlockFunction apply_;
};

/// scale * A + shift * I. Keeps a reference: A must live longer.
class ShiftedOperator : public SymmetricOperator {
 public:
  explicit ShiftedOperator(const SymmetricOperator& a, double shift, double scale = 1)
      : a_(a), shift_(shift), scale_(scale) {}

  int64_t size() const override { return a_.size(); }
  at::TensorOptions options() const override { return a_.options(); }
  Tensor apply(const Tensor& x) const override;

 private:
  const SymmetricOperator& a_;
  double shift_;
  double scale_;
};

enum class GramSide {
  rows,     // A A^T, of size rows: the tangent kernel of a Jacobian
  columns,  // A^T A, of size columns
};

/// A A^T or A^T A by two products. Keeps a reference: A must live longer.
class GramOperator : public SymmetricOperator {
 public:
  GramOperator(const LinearOperator& a, GramSide side) : a_(a), side_(side) {}

  int64_t size() const override { return side_ == GramSide::rows ? a_.rows() : a_.columns(); }
  at::TensorOptions options() const override { return a_.options(); }
  Tensor apply(const Tensor& x) const override;

 private:
  const LinearOperator& a_;
  GramSide side_;
};

/// The operator as a matrix (rows, columns), by products with `block` unit vectors at a time.
Tensor dense_matrix(const LinearOperator& a, int64_t block = 64);
Tensor dense_matrix(const SymmetricOperator& a, int64_t block = 64);

}  // namespace plumb
