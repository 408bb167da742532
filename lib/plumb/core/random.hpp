/// One seed per run, one independent generator per purpose: what one part draws cannot move another.
#pragma once

#include <cstdint>
#include <string_view>

#include <ATen/core/Generator.h>

namespace plumb {

class Seed {
 public:
  explicit constexpr Seed(uint64_t value) : value_(value) {}

  /// The seed of the stream named `purpose`: SplitMix64 of the seed, mixed with the FNV-1a hash of the name.
  uint64_t derive(std::string_view purpose) const;

  /// A new CPU generator for `purpose`. Draws are made on the CPU so that every device sees the same ones.
  at::Generator stream(std::string_view purpose) const;

  uint64_t value() const { return value_; }

 private:
  uint64_t value_;
};

}  // namespace plumb
