/// Chosen members of a tar archive, read without unpacking it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace plumb {

/// The contents of those members of a tar archive, plain or gzip, whose file name without folders is one of
/// `names`, by that name; members that the archive lacks are absent. Throws DataError when the archive is
/// missing, truncated or damaged, or when a member holds more than `limit` bytes. gzip's own checksum is not
/// looked at (libarchive ignores it): whether a download is right is decided by fetch().
std::map<std::string, std::string> read_tar(const std::filesystem::path& archive,
                                            const std::vector<std::string>& names, int64_t limit);

}  // namespace plumb
