/// Zip files whose entries are stored as they are, the container of torch.save.
///
/// The reader believes nothing: every byte of the file belongs to an entry, a header or the directory, what
/// is said twice must agree, and the CRC-32 of every entry is that of its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

struct ZipEntry {
  std::string name;
  std::string_view data;  // not owned
  uint32_t crc = 0;       // CRC-32 of the data
};

/// An entry of these bytes, with their CRC-32.
ZipEntry make_zip_entry(std::string name, std::string_view data);

/// The entries in a file's order, their data within `file`.
/// Throws DataError for anything but a whole, undamaged zip file of uncompressed entries with names of their
/// own.
std::vector<ZipEntry> read_stored_zip(std::string_view file);

/// The file of these entries: the same bytes for the same entries. Data begin at multiples of 64 bytes, as
/// torch.save has them. Sizes beyond 4 GiB are written as zip64.
std::string write_stored_zip(const std::vector<ZipEntry>& entries);

/// Whether `file` is what write_stored_zip gives for `entries`, which read_stored_zip gave for it.
bool is_as_written(std::string_view file, const std::vector<ZipEntry>& entries);

}  // namespace plumb
