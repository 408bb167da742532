/// The checksum of zip, gzip and PNG.
#pragma once

#include <cstdint>
#include <string_view>

namespace plumb {

/// CRC-32 of bytes; `before`: that of the bytes in front of them. Every change of up to 32 neighbouring bits
/// changes it.
uint32_t crc32_of(std::string_view bytes, uint32_t before = 0);

}  // namespace plumb
