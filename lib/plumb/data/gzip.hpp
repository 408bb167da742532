/// Files that may be compressed with gzip, read whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace plumb {

/// More than any data set read here inflates to; what a damaged or hostile file may not exceed.
inline constexpr int64_t kInflatedLimit = int64_t{1} << 30;

/// True when `bytes` begin as gzip does.
bool is_gzip(std::string_view bytes);

/// Inflates a gzip file of one or more members. `name` stands in messages. Throws DataError when the bytes
/// are not gzip, truncated, damaged (each member ends with its checksum), followed by something else, or
/// inflate to more than `limit` bytes.
std::string gunzip(std::string_view bytes, std::string_view name, int64_t limit = kInflatedLimit);

/// The contents of a file, inflated when it is gzip (by its first bytes, not its name). Throws DataError as
/// read_file and gunzip do.
std::string read_plain_or_gzip(const std::filesystem::path& file, int64_t limit = kInflatedLimit);

}  // namespace plumb
