#include "plumb/analysis/exact_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr uint64_t prime = 1522832193075188839;

/// -1/p mod 2^64, by Newton's iteration, which doubles the number of right bits.
constexpr uint64_t negative_inverse() {
  uint64_t inverse = prime;  // right to 3 bits, as for every odd number
  for (int i = 0; i < 5; ++i) inverse *= 2 - prime * inverse;
  return ~inverse + 1;
}
constexpr uint64_t prime_inverse = negative_inverse();
static_assert(prime * prime_inverse == ~uint64_t{0});

/// x y / 2^64 mod p (Montgomery 1985).
uint64_t times(uint64_t x, uint64_t y) {
  const Wide product = static_cast<Wide>(x) * y;
  const uint64_t multiple = static_cast<uint64_t>(product) * prime_inverse;
  const auto reduced = static_cast<uint64_t>((product + static_cast<Wide>(multiple) * prime) >> 64);
  return reduced >= prime ? reduced - prime : reduced;
}

uint64_t minus(uint64_t x, uint64_t y) { return x >= y ? x - y : x + prime - y; }

constexpr uint64_t plus(uint64_t x, uint64_t y) {
  const uint64_t sum = x + y;
  return sum >= prime ? sum - prime : sum;
}

/// 2^128 mod p.
constexpr uint64_t square_of_radix() {
  uint64_t x = 1;
  for (int i = 0; i < 128; ++i) x = plus(x, x);
  return x;
}

uint64_t into_form(uint64_t x) {
  constexpr uint64_t square = square_of_radix();
  return times(x, square);
}

uint64_t power(uint64_t x, uint64_t exponent) {
  uint64_t result = into_form(1);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = times(result, x);
    x = times(x, x);
  }
  return result;
}

/// 1/x, by Fermat's little theorem.
uint64_t inverse(uint64_t x) { return power(x, prime - 2); }

constexpr int least_exponent = -1074;  // of the last bit of a float64

/// 2^e for e from least_exponent on.
std::vector<uint64_t> powers_of_two() {
  std::vector<uint64_t> powers{inverse(power(into_form(2), -least_exponent))};
  for (int e = least_exponent; e < 1024; ++e) powers.push_back(plus(powers.back(), powers.back()));
  return powers;
}

uint64_t residue_of(double value) {
  static const std::vector<uint64_t> powers = powers_of_two();
  if (value == 0) return 0;
  int exponent = 0;
  // 0.5 <= |fraction| < 1 with at most 53 bits, fewer where the last one would lie below the least exponent.
  const double fraction = std::frexp(std::abs(value), &exponent);
  const int bits = std::min(53, exponent - least_exponent);
  const auto integer = static_cast<uint64_t>(std::ldexp(fraction, bits));
  const auto scale = powers[static_cast<size_t>(exponent - bits - least_exponent)];
  const uint64_t residue = times(into_form(integer), scale);
  return value < 0 ? minus(0, residue) : residue;
}

/// row -= factor pivot, from `begin` on.
void subtract_multiple(uint64_t* row, const uint64_t* pivot, uint64_t factor, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) row[j] = minus(row[j], times(factor, pivot[j]));
}

/// The digits of a number that no matrix knows: x is scrambled as in SplitMix64 (Steele, Lea, Flood 2014).
uint64_t scrambled(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return (x ^ (x >> 31)) % prime;
}

void expects_exact_entries(const Tensor& a) {
  expects(a.defined() && a.dim() == 2 && (a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble),
          "exact matrix: a matrix of float32 or float64 is expected");
  expects(at::isfinite(a).all().item<bool>(),
          "exact matrix: entries that are not finite; finite ones are expected");
}

}  // namespace

ExactMatrix::ExactMatrix(int64_t rows, int64_t columns)
    : rows_(rows), columns_(columns), entries_(static_cast<size_t>(rows * columns)) {}

ExactMatrix::ExactMatrix(const Tensor& a) : ExactMatrix(0, 0) {
  expects_exact_entries(a);
  const Tensor wide = a.detach().to(at::kCPU, at::kDouble).contiguous();
  rows_ = a.size(0);
  columns_ = a.size(1);
  const double* values = wide.data_ptr<double>();
  entries_.resize(static_cast<size_t>(wide.numel()));
  std::transform(values, values + wide.numel(), entries_.begin(), residue_of);
}

ExactMatrix ExactMatrix::transposed() const {
  ExactMatrix result(columns_, rows_);
  for (int64_t i = 0; i < rows_; ++i)
    for (int64_t j = 0; j < columns_; ++j) result.entries_[j * rows_ + i] = entries_[i * columns_ + j];
  return result;
}

ExactMatrix ExactMatrix::product(const ExactMatrix& other) const {
  expects(columns_ == other.rows_,
          "exact matrix: {} x {} times {} x {}; as many columns as rows are expected", rows_, columns_,
          other.rows_, other.columns_);
  ExactMatrix result(rows_, other.columns_);
  for (int64_t i = 0; i < rows_; ++i)
    for (int64_t k = 0; k < columns_; ++k) {
      const uint64_t factor = minus(0, entries_[i * columns_ + k]);
      if (factor == 0) continue;
      subtract_multiple(&result.entries_[i * other.columns_], &other.entries_[k * other.columns_], factor, 0,
                        other.columns_);
    }
  return result;
}

ExactMatrix ExactMatrix::rowwise_kronecker(const ExactMatrix& other) const {
  expects(rows_ == other.rows_, "exact matrix: rowwise product of {} and {} rows; as many are expected",
          rows_, other.rows_);
  ExactMatrix result(rows_, columns_ * other.columns_);
  auto entry = result.entries_.begin();
  for (int64_t i = 0; i < rows_; ++i)
    for (int64_t j = 0; j < columns_; ++j)
      for (int64_t k = 0; k < other.columns_; ++k)
        *entry++ = times(entries_[i * columns_ + j], other.entries_[i * other.columns_ + k]);
  return result;
}

int64_t ExactMatrix::rank() const {
  if (rows_ > columns_) return transposed().rank();
  std::vector<uint64_t> work = entries_;
  std::vector<uint64_t*> rows;
  for (int64_t i = 0; i < rows_; ++i) rows.push_back(work.data() + i * columns_);
  size_t found = 0;
  for (int64_t column = 0; column < columns_ && found < rows.size(); ++column) {
    const auto pivot = std::find_if(rows.begin() + static_cast<int64_t>(found), rows.end(),
                                    [&](const uint64_t* row) { return row[column] != 0; });
    if (pivot == rows.end()) continue;
    std::swap(rows[found], *pivot);
    const uint64_t* first = rows[found++];
    const uint64_t scale = inverse(first[column]);
    for (size_t i = found; i < rows.size(); ++i)
      if (rows[i][column] != 0)
        subtract_multiple(rows[i], first, times(rows[i][column], scale), column, columns_);
  }
  return static_cast<int64_t>(found);
}

int64_t exactly_distinct_directions(const Tensor& a) {
  expects_exact_entries(a);
  // A row over its first entry, summed with random weights: multiples agree, others with probability 1/p.
  std::vector<uint64_t> weights(static_cast<size_t>(a.size(1)));
  for (size_t j = 0; j < weights.size(); ++j) weights[j] = scrambled(j);
  std::unordered_set<uint64_t> seen;
  for (int64_t i = 0; i < a.size(0); ++i) {
    const Tensor row = a.select(0, i).detach().to(at::kCPU, at::kDouble).contiguous();
    const double* values = row.data_ptr<double>();
    const double* end = values + row.numel();
    const double* first = std::find_if(values, end, [](double x) { return x != 0; });
    if (first == end) continue;
    uint64_t sum = 0;
    for (const double* value = first; value != end; ++value)
      sum = plus(sum, times(residue_of(*value), weights[static_cast<size_t>(value - values)]));
    seen.insert(times(sum, inverse(residue_of(*first))));
  }
  return static_cast<int64_t>(seen.size());
}

}  // namespace plumb
