/// The IDX file format of the MNIST family: a header of sizes, then the values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// An array of bytes, its last dimension running fastest.
struct IdxArray {
  std::vector<int64_t> sizes;  // at least one, all positive
  std::string_view values;  // as many as the product of the sizes; a view into the bytes given to parse_idx
};

/// Reads the bytes of an IDX file of unsigned bytes: 0 0 8 r, then r sizes of four bytes each, most
/// significant first, then the values and nothing after them (LeCun, "The MNIST database"). `name` stands in
/// messages. Throws DataError for any other bytes: truncated, oversized, another element type, an empty
/// dimension.
IdxArray parse_idx(std::string_view bytes, std::string_view name);

}  // namespace plumb
