/// What the bytes of a zip file mean, for its reader and its writer.
#pragma once

#include <cstdint>
#include <limits>

namespace plumb::zip {

// Signatures, lengths of the fixed parts and flags, as in PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
inline constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryHeader = 0x02014b50, kDescriptor = 0x08074b50;
inline constexpr uint32_t kEnd = 0x06054b50, kZip64End = 0x06064b50, kZip64Locator = 0x07064b50;
inline constexpr uint64_t kLocalLength = 30, kDirectoryLength = 46, kEndLength = 22;
inline constexpr uint64_t kZip64EndLength = 56, kZip64LocatorLength = 20;
inline constexpr uint16_t kDescriptorFollows = 0x0008, kNamesAreUtf8 = 0x0800;
inline constexpr uint32_t kSaturated32 = std::numeric_limits<uint32_t>::max();
inline constexpr uint16_t kSaturated16 = std::numeric_limits<uint16_t>::max();
inline constexpr uint64_t kAlignment = 64;

}  // namespace plumb::zip
