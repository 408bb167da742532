#include "plumb/training/batched_product.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// What becomes of a number of the product before it is stored: nothing; relu; or 0 where the number in its
/// place is not positive.
enum class Ending { plain, relu, gate };

/// One product: entries (i, k) of A at a[i row + k column], B and C with rows of m numbers in a line.
template <class T>
struct SmallProduct {
  const T* a;
  int64_t row, column;
  const T* b;
  T* c;
  int64_t n, k, m;
  Ending ending;
};

/// `Bytes` of numbers: GCC and Clang make several instructions of an operation where the processor has
/// shorter registers.
template <class T, int Bytes>
struct Lanes {
  static constexpr int count = Bytes / sizeof(T);
  typedef T Vector __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};

/// The comparisons let NaN through, as at::relu and at::threshold_backward do.
template <class T, class Value>
inline __attribute__((always_inline)) void store(const SmallProduct<T>& p, Value sum, Value* place) {
  const Value zero{};
  if (p.ending == Ending::relu) sum = sum < zero ? zero : sum;
  if (p.ending == Ending::gate) sum = *place <= zero ? zero : sum;
  *place = sum;
}

/// Rows i .. i + R - 1 and V vectors of columns from j on. Everything of it stays in registers.
template <class T, int Bytes, int R, int V>
inline __attribute__((always_inline)) void product_tile(const SmallProduct<T>& p, int64_t i, int64_t j) {
  using Vector = typename Lanes<T, Bytes>::Vector;
  constexpr int lanes = Lanes<T, Bytes>::count;
  Vector sums[R][V] = {};
  for (int64_t k = 0; k < p.k; ++k) {
    const T* b = p.b + k * p.m + j;
    const T* a = p.a + i * p.row + k * p.column;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v)
        sums[r][v] += a[r * p.row] * *reinterpret_cast<const Vector*>(b + v * lanes);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
      store(p, sums[r][v], reinterpret_cast<Vector*>(p.c + (i + r) * p.m + j + v * lanes));
}

/// The columns from j on, fewer than the shortest vector holds.
template <class T, int R>
inline __attribute__((always_inline)) void product_rest(const SmallProduct<T>& p, int64_t i, int64_t j) {
  for (; j < p.m; ++j) {
    T sums[R] = {};
    for (int64_t k = 0; k < p.k; ++k)
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sums[r] += p.a[(i + r) * p.row + k * p.column] * p.b[k * p.m + j];
    for (int r = 0; r < R; ++r) store(p, sums[r], p.c + (i + r) * p.m + j);
  }
}

template <class T, int Bytes, int R>
inline __attribute__((always_inline)) void product_rows(const SmallProduct<T>& p, int64_t i) {
  int64_t j = 0;
  for (constexpr int lanes = Lanes<T, Bytes>::count; j + 2 * lanes <= p.m; j += 2 * lanes)
    product_tile<T, Bytes, R, 2>(p, i, j);
  for (constexpr int lanes = Lanes<T, Bytes>::count; j + lanes <= p.m; j += lanes)
    product_tile<T, Bytes, R, 1>(p, i, j);
  if constexpr (Bytes > 32)
    for (constexpr int lanes = Lanes<T, 32>::count; j + lanes <= p.m; j += lanes)
      product_tile<T, 32, R, 1>(p, i, j);
  for (constexpr int lanes = Lanes<T, 16>::count; j + lanes <= p.m; j += lanes)
    product_tile<T, 16, R, 1>(p, i, j);
  product_rest<T, R>(p, i, j);
}

/// One column, B, and rows of A that lie in a line: R sums along k, each in as many parts as a vector has
/// numbers.
template <class T, int Bytes, int R>
inline __attribute__((always_inline)) void dot_rows(const SmallProduct<T>& p, int64_t i) {
  using Vector = typename Lanes<T, Bytes>::Vector;
  constexpr int lanes = Lanes<T, Bytes>::count;
  Vector parts[R] = {};
  int64_t k = 0;
  for (; k + lanes <= p.k; k += lanes)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      parts[r] += *reinterpret_cast<const Vector*>(p.a + (i + r) * p.row + k) *
                  *reinterpret_cast<const Vector*>(p.b + k);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    T sum = 0;
    for (int lane = 0; lane < lanes; ++lane) sum += parts[r][lane];
    for (int64_t rest = k; rest < p.k; ++rest) sum += p.a[(i + r) * p.row + rest] * p.b[rest];
    store(p, sum, p.c + i + r);
  }
}

template <class T, int Bytes>
inline __attribute__((always_inline)) void small_product(const SmallProduct<T>& p) {
  constexpr int rows = Bytes > 32 ? 8 : 4;  // of sums: as many as there are registers for
  int64_t i = 0;
  if (p.m == 1 && p.column == 1) {
    for (; i + 4 <= p.n; i += 4) dot_rows<T, Bytes, 4>(p, i);
    for (; i < p.n; ++i) dot_rows<T, Bytes, 1>(p, i);
    return;
  }
  for (; i + rows <= p.n; i += rows) product_rows<T, Bytes, rows>(p, i);
  if constexpr (rows > 4)
    for (; i + 4 <= p.n; i += 4) product_rows<T, Bytes, 4>(p, i);
  for (; i < p.n; ++i) product_rows<T, Bytes, 1>(p, i);
}

template <class T>
void portable_product(const SmallProduct<T>& p) {
  small_product<T, 32>(p);
}

#if defined(__x86_64__)
// The library is built for every x86-64 processor; this file alone asks which one it has.
template <class T>
__attribute__((target("avx2,fma"))) void avx2_product(const SmallProduct<T>& p) {
  small_product<T, 32>(p);
}

template <class T>
__attribute__((target("avx512f,avx512vl,fma"))) void avx512_product(const SmallProduct<T>& p) {
  small_product<T, 64>(p);
}

template <class T>
auto fastest_product() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return portable_product<T>;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
  return wide ? avx512_product<T> : avx2_product<T>;
}
#else
template <class T>
auto fastest_product() {
  return portable_product<T>;
}
#endif

template <class T>
void multiply_all(const Tensor& a, const Tensor& b, const Tensor& out, Ending ending) {
  static const auto product = fastest_product<T>();
  const int64_t n = out.size(1), m = out.size(2), k = a.size(2);
  const int64_t work = std::max<int64_t>(1, n * m * k);
  at::parallel_for(0, out.size(0), std::max<int64_t>(1, 200000 / work), [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e)
      product({a.data_ptr<T>() + e * a.stride(0), a.stride(1), a.stride(2), b.data_ptr<T>() + e * k * m,
               out.data_ptr<T>() + e * n * m, n, k, m, ending});
  });
}

void multiply_small(const Tensor& a, const Tensor& b, const Tensor& out, Ending ending) {
  const Tensor rows = b.contiguous();
  if (out.scalar_type() == at::kDouble)
    multiply_all<double>(a, rows, out, ending);
  else
    multiply_all<float>(a, rows, out, ending);
}

void check_product(const Tensor& a, const Tensor& b) {
  expects(a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(1) &&
              a.scalar_type() == b.scalar_type(),
          "a batched product needs (e, n, k) and (e, k, m) of one dtype; got {} and {} dimensions", a.dim(),
          b.dim());
}

bool has_kernel(const Tensor& a) {
  return a.is_cpu() && (a.scalar_type() == at::kDouble || a.scalar_type() == at::kFloat);
}

Tensor small_product_of(const Tensor& a, const Tensor& b, Ending ending) {
  Tensor out = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  multiply_small(a, b, out, ending);
  return out;
}

}  // namespace

Tensor batched_product(const Tensor& a, const Tensor& b) {
  check_product(a, b);
  return has_kernel(a) ? small_product_of(a, b, Ending::plain) : at::bmm(a, b);
}

Tensor batched_product_relu(const Tensor& a, const Tensor& b) {
  check_product(a, b);
  return has_kernel(a) ? small_product_of(a, b, Ending::relu) : at::bmm(a, b).relu_();
}

void batched_product_through_gates(const Tensor& a, const Tensor& b, Tensor& gates) {
  check_product(a, b);
  expects(gates.sizes() == at::IntArrayRef({a.size(0), a.size(1), b.size(2)}) && gates.is_contiguous() &&
              gates.scalar_type() == a.scalar_type(),
          "gates are contiguous and have the product's shape and dtype");
  if (has_kernel(a))
    multiply_small(a, b, gates, Ending::gate);
  else
    gates = at::threshold_backward(at::bmm(a, b), gates, 0);
}

}  // namespace plumb
