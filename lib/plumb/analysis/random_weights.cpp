#include "plumb/analysis/random_weights.hpp"

#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "plumb/core/random.hpp"

namespace plumb {
namespace {

std::atomic<uint64_t> objects{0};

}  // namespace

CheckDraws::CheckDraws() : state_(Seed(objects++).derive("check")) {}

uint64_t CheckDraws::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::vector<int64_t> CheckDraws::permutation(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[next() % i]);
  return order;
}

Tensor CheckDraws::weights(int64_t count) {
  Tensor result = at::empty({count}, at::kDouble);
  auto* numbers = result.data_ptr<double>();
  for (const int64_t place : permutation(count)) {
    const uint64_t bits = next();
    const double within = 0.25 + 0.5 * static_cast<double>(bits >> 11) * 0x1p-53;
    const double magnitude = 0.5 + (static_cast<double>(place) + within) / static_cast<double>(count);
    *numbers++ = (bits & 1) != 0 ? magnitude : -magnitude;
  }
  return result;
}

Tensor CheckDraws::signs(int64_t count) {
  Tensor result = at::empty({count}, at::kDouble);
  auto* numbers = result.data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) numbers[i] = (next() & 1) != 0 ? 1 : -1;
  return result;
}

double fast_norm(const Tensor& values) {
  constexpr int64_t piece = 2048;
  if (values.numel() < 2 * piece) return at::linalg_vector_norm(values).item<double>();
  const Tensor flat = values.reshape({-1});
  const int64_t whole = flat.numel() / piece * piece;
  const Tensor rows =
      at::linalg_vector_norm(flat.slice(0, 0, whole).view({-1, piece}), 2, at::IntArrayRef{1});
  return std::hypot(at::linalg_vector_norm(rows).item<double>(),
                    at::linalg_vector_norm(flat.slice(0, whole)).item<double>());
}

}  // namespace plumb
