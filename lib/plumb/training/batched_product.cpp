#include "plumb/training/batched_product.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// One product: entries (i, k) of A at a[i row + k column], B and C with rows of m numbers in a line.
template <class T>
struct SmallProduct {
  const T* a;
  int64_t row, column;
  const T* b;
  T* c;
  int64_t n, k, m;
};

/// 32 bytes: GCC and Clang make two instructions of an operation where the processor has 16.
template <class T>
struct Lanes {
  static constexpr int count = 32 / sizeof(T);
  typedef T Vector __attribute__((vector_size(32), aligned(alignof(T)), may_alias));
};

/// Rows i .. i + R - 1 and V vectors of columns from j on. Everything of it stays in registers.
template <class T, int R, int V>
inline __attribute__((always_inline)) void product_tile(const SmallProduct<T>& p, int64_t i, int64_t j) {
  using Vector = typename Lanes<T>::Vector;
  constexpr int lanes = Lanes<T>::count;
  Vector sums[R][V] = {};
  for (int64_t k = 0; k < p.k; ++k) {
    const T* b = p.b + k * p.m + j;
    const T* a = p.a + i * p.row + k * p.column;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v)
        sums[r][v] += a[r * p.row] * *reinterpret_cast<const Vector*>(b + v * lanes);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) *reinterpret_cast<Vector*>(p.c + (i + r) * p.m + j + v * lanes) = sums[r][v];
}

/// The columns from j on, fewer than a vector holds.
template <class T, int R>
inline __attribute__((always_inline)) void product_rest(const SmallProduct<T>& p, int64_t i, int64_t j) {
  for (; j < p.m; ++j) {
    T sums[R] = {};
    for (int64_t k = 0; k < p.k; ++k)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sums[r] += p.a[(i + r) * p.row + k * p.column] * p.b[k * p.m + j];
    for (int r = 0; r < R; ++r) p.c[(i + r) * p.m + j] = sums[r];
  }
}

template <class T, int R>
inline __attribute__((always_inline)) void product_rows(const SmallProduct<T>& p, int64_t i) {
  constexpr int lanes = Lanes<T>::count;
  int64_t j = 0;
  for (; j + 2 * lanes <= p.m; j += 2 * lanes) product_tile<T, R, 2>(p, i, j);
  for (; j + lanes <= p.m; j += lanes) product_tile<T, R, 1>(p, i, j);
  product_rest<T, R>(p, i, j);
}

template <class T>
inline __attribute__((always_inline)) void small_product(const SmallProduct<T>& p) {
  int64_t i = 0;
  for (; i + 4 <= p.n; i += 4) product_rows<T, 4>(p, i);
  for (; i < p.n; ++i) product_rows<T, 1>(p, i);
}

template <class T>
void portable_product(const SmallProduct<T>& p) {
  small_product(p);
}

#if defined(__x86_64__)
// The library is built for every x86-64 processor; this file alone asks which one it has.
template <class T>
__attribute__((target("avx2,fma"))) void avx2_product(const SmallProduct<T>& p) {
  small_product(p);
}
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
template <class T>
void avx2_product(const SmallProduct<T>& p) {
  small_product(p);
}
bool has_avx2() { return false; }
#endif

template <class T>
void multiply_all(const Tensor& a, const Tensor& b, Tensor& out) {
  static const auto product = has_avx2() ? avx2_product<T> : portable_product<T>;
  const int64_t n = out.size(1), m = out.size(2), k = a.size(2);
  const int64_t work = std::max<int64_t>(1, n * m * k);
  at::parallel_for(0, out.size(0), std::max<int64_t>(1, 200000 / work), [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e)
      product({a.data_ptr<T>() + e * a.stride(0), a.stride(1), a.stride(2), b.data_ptr<T>() + e * k * m,
               out.data_ptr<T>() + e * n * m, n, k, m});
  });
}

}  // namespace

Tensor batched_product(const Tensor& a, const Tensor& b) {
  expects(a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(1) &&
              a.scalar_type() == b.scalar_type(),
          "a batched product needs (e, n, k) and (e, k, m) of one dtype; got {} and {} dimensions", a.dim(),
          b.dim());
  const auto dtype = a.scalar_type();
  if (!a.is_cpu() || (dtype != at::kDouble && dtype != at::kFloat)) return at::bmm(a, b);
  Tensor out = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  const Tensor rows = b.contiguous();
  if (dtype == at::kDouble)
    multiply_all<double>(a, rows, out);
  else
    multiply_all<float>(a, rows, out);
  return out;
}

}  // namespace plumb
