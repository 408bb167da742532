/// The smallest eigenvalue of a positive semidefinite matrix, as an interval that can be defended.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Generator.h>

#include "plumb/analysis/lanczos.hpp"
#include "plumb/analysis/linear_operator.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

struct SmallestEigenvalueOptions {
  /// The length p of the sums in G = J J^T: the interval then also covers what rounding did to G when it was
  /// formed, by the bound of gram_formation_error. 0: G is taken to be exact, and the interval is about the
  /// numbers given.
  int64_t inner = 0;
  /// The dtype in which G was formed; by default that of the tensor.
  at::ScalarType dtype = at::ScalarType::Undefined;
  /// Cholesky factorizations spent on the certificate at most; each costs a tenth of the eigenvalues. 0: no
  /// certificate.
  int64_t factorizations = 6;
  /// All eigenvalues of G, ascending, float64, where symmetric_eigenvalues found them already.
  Tensor eigenvalues = {};
};

/// lambda_min of a symmetric positive semidefinite G.
struct SmallestEigenvalue {
  double value = 0;     // the best number: as computed, but never below 0
  double lower = 0;     // lambda_min >= lower, never below 0
  double upper = 0;     // lambda_min <= upper
  double computed = 0;  // as it came out of the solver; below 0 it is rounding
  double residual = 0;  // ||G v - rho v|| of the vector behind `upper`; NaN where there was none
  double error = 0;     // the bound taken for |computed - lambda_min|
  /// lambda_min >= certified_lower by a Cholesky factorization that ran to its end; 0: nothing but
  /// semidefiniteness.
  double certified_lower = 0;
  int64_t certified_size = 0;  // rows of the matrix the certificate is about; 0 where none was asked for
  double lambda_max = 0;
  std::string method;     // "dense" or "lanczos"
  bool resolved = false;  // lower > 0: it is known to be positive
  bool indefinite =
      false;  // the numbers given are further from semidefinite than the stated rounding explains

  /// One line: "1.2e-05 in [1.1e-05, 1.3e-05] (dense; certified above 1.0e-05)".
  std::string text() const;
};

/// What rounding may have done to G = J J^T, as a bound on ||delta G||_2: 4 sqrt(p) u trace(G), with u the
/// unit roundoff of the dtype and p the length of the sums. It holds with high probability for independent
/// rounding errors (Higham and Mary 2019, Thm 3.1, lambda = 4); p u trace(G) would hold always and is seldom
/// of use.
double gram_formation_error(const Tensor& gram, int64_t inner, at::ScalarType dtype);

/// lambda_min of a dense matrix, by all its eigenvalues in float64.
///
/// `error`: the solver's eigenvalues are those of G + E with ||E||_2 <= n u ||G||_2 (LAPACK Users'
/// Guide, 4.7.1, with the slowly growing factor p(n) taken as n), plus the formation error. `upper` is
/// lowered to the Rayleigh quotient of a vector from inverse iteration plus its own rounding, where that is
/// less. `certified_lower`: if Cholesky of A = G - s I
/// runs to its end in float64, lambda_min(A) >= -gamma / (1 - gamma) trace(A) with gamma = k u / (1 - k u)
/// and k = n + 1, whatever the order of the sums (Demmel 1989; Rump 2006, Cor. 2.4); k = n + 4 is taken, for
/// libraries that multiply by reciprocals of the pivots. The largest s that bisection finds is used. `gram`:
/// (n, n), symmetric and finite, float32 or float64.
SmallestEigenvalue smallest_eigenvalue(const Tensor& gram, const SmallestEigenvalueOptions& options = {});

/// A number s - rounding that lambda_min(a) provably reaches, from Cholesky of a - s I; -infinity where the
/// factorization fails. `a`: (n, n) float64, symmetric.
double certified_lower_bound(const Tensor& a, double s);

/// lambda_min of an operator, by Lanczos for the smallest end. `upper` is the Ritz value; `lower` is the Ritz
/// value less its residual, which bounds the nearest eigenvalue: an eigenvalue that the start vector did not
/// contain would escape. There is no certificate. `options.end` and `options.count` are not read.
SmallestEigenvalue smallest_eigenvalue(const SymmetricOperator& a, LanczosOptions options,
                                       at::Generator& generator);

}  // namespace plumb
