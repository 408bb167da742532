#include "plumb/data/idx.hpp"

#include <limits>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

constexpr size_t kIdxMagicSize = 4;

std::string_view idx_element_type(uint8_t code) {
  switch (code) {
    case 0x09:
      return "signed bytes";
    case 0x0b:
      return "16-bit integers";
    case 0x0c:
      return "32-bit integers";
    case 0x0d:
      return "32-bit floats";
    case 0x0e:
      return "64-bit floats";
    default:
      return "an unknown element type";
  }
}

uint32_t idx_big_endian(std::string_view bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return value;
}

/// The number of sizes that follow the magic number.
size_t idx_rank(std::string_view bytes, std::string_view name) {
  if (bytes.size() < kIdxMagicSize)
    throw DataError(
        fmt::format("{}: holds {} bytes; an IDX file begins with {}", name, bytes.size(), kIdxMagicSize));
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (at(0) != 0 || at(1) != 0)
    throw DataError(fmt::format(
        "{}: begins with bytes {:#04x} {:#04x}; an IDX file begins with two zero bytes", name, at(0), at(1)));
  if (at(2) != 0x08)
    throw DataError(fmt::format("{}: holds {} (type {:#04x}); unsigned bytes (type 0x08) are expected", name,
                                idx_element_type(at(2)), at(2)));
  if (at(3) == 0) throw DataError(fmt::format("{}: has no dimensions; at least one is expected", name));
  return at(3);
}

}  // namespace

IdxArray parse_idx(std::string_view bytes, std::string_view name) {
  const size_t rank = idx_rank(bytes, name);
  const size_t header = kIdxMagicSize + 4 * rank;
  if (bytes.size() < header)
    throw DataError(fmt::format("{}: holds {} bytes; the header of an IDX file with {} dimensions takes {}",
                                name, bytes.size(), rank, header));
  IdxArray array;
  array.values = bytes.substr(header);
  int64_t expected = 1;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t size = idx_big_endian(bytes, kIdxMagicSize + 4 * i);
    if (size == 0)
      throw DataError(fmt::format("{}: dimension {} has size 0; a positive size is expected", name, i));
    if (expected > std::numeric_limits<int64_t>::max() / size)
      throw DataError(
          fmt::format("{}: the sizes in the header multiply to more than 2^63; the header is damaged", name));
    expected *= size;
    array.sizes.push_back(size);
  }
  const auto found = static_cast<int64_t>(array.values.size());
  if (found != expected)
    throw DataError(fmt::format("{}: holds {} values after the header, which promises {}; the file is {}",
                                name, found, expected,
                                found < expected ? "truncated" : "followed by other bytes"));
  return array;
}

}  // namespace plumb
