/// Matrices of floating-point numbers as the exact fractions they are, and their ranks without rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// A matrix whose entries are finite floating-point numbers taken at their word, m 2^e, and what sums and
/// products make of them without rounding.
///
/// Entries are held modulo a prime p of 61 bits, in which 2 has an inverse. A minor that is not 0 modulo p is
/// not 0, so the rank modulo p is never above the rank. It is below only where p divides every largest minor
/// that is not 0. p was drawn at random: for r x r minors of fractions of b bits at most r b / 60 of the
/// 2.7e16 primes of its size do, that is fewer than 1 in 10^11 for r = 1000 and the whole range of float64
/// (b = 2100).
class ExactMatrix {
 public:
  /// (m, n), either may be 0, of float32 or float64 and finite. Throws ContractError for anything else.
  explicit ExactMatrix(const Tensor& a);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }

  ExactMatrix transposed() const;
  /// A B.
  ExactMatrix product(const ExactMatrix& other) const;
  /// Row by row Kronecker products, (m, p) and (m, q) -> (m, p q); see theory::rowwise_kronecker.
  ExactMatrix rowwise_kronecker(const ExactMatrix& other) const;

  /// By elimination, in about m n min(m, n) / 2 multiplications of 2 ns.
  int64_t rank() const;

 private:
  ExactMatrix(int64_t rows, int64_t columns);

  int64_t rows_, columns_;
  std::vector<uint64_t> entries_;  // by rows, in Montgomery's form x 2^64 mod p
};

/// Rows of A (m, n) that are neither 0 nor exactly a multiple of an earlier one, in m n multiplications; the
/// rank is no more. Two that are not multiples are taken for it with probability 1/p. `a` as for ExactMatrix.
int64_t exactly_distinct_directions(const Tensor& a);

}  // namespace plumb
