/// Sizes of memory as people write them: "512MiB", "4GiB".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace plumb {

struct ByteSize {
  int64_t bytes = 0;
};

/// A positive number, whole or decimal, with one of the units B, KiB, MiB, GiB, TiB (1024 each); none when it
/// is anything else or no 64-bit number.
std::optional<ByteSize> parse_byte_size(const std::string& text);

/// The same with the largest unit that divides it: "4GiB", "1536MiB", "1000B".
std::string to_text(ByteSize size);

}  // namespace plumb
