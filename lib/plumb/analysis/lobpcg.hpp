/// A block of extreme eigenpairs by locally optimal preconditioned conjugate gradients.
#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>

#include "plumb/analysis/lanczos.hpp"
#include "plumb/analysis/linear_operator.hpp"

namespace plumb {

struct LobpcgOptions {
  int64_t count = 1;
  SpectrumEnd end = SpectrumEnd::smallest;
  /// A pair has converged when ||A v - lambda v|| <= tolerance * ||A||, with the largest |Ritz value| seen
  /// for ||A||. 0: 1e-9 for float64 operators, 1e-5 for float32.
  double tolerance = 0;
  int64_t iterations = 500;
  /// Vectors iterated together; those beyond `count` speed the last ones up. 0: count + max(2, count / 4).
  int64_t block = 0;
  /// T X for a symmetric positive definite T near A^{-1} (smallest end); empty: none.
  BlockFunction preconditioner = {};
};

/// The `count` smallest or largest eigenpairs of A (Knyazev 2001), with an orthonormal basis [X, W, P]
/// throughout (Hetmaniuk and Lehoucq 2006). Soft locking: pairs that have converged stay in X but ask for no
/// more products. The memory is 6 block * size numbers. An operator of fewer than 3 block rows is made dense.
/// Start vectors are drawn from `generator`; a block at least as wide as an eigenvalue's multiplicity finds
/// all of its copies.
EigenpairResult lobpcg(const SymmetricOperator& a, const LobpcgOptions& options, at::Generator& generator);

}  // namespace plumb
