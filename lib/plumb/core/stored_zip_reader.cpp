#include <set>

#include "plumb/core/bytes.hpp"
#include "plumb/core/crc32.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/stored_zip.hpp"
#include "plumb/core/stored_zip_format.hpp"

namespace plumb {
namespace {

using namespace zip;

/// Reads one header after the other; what is not there is an error.
class Cursor {
 public:
  Cursor(std::string_view bytes, uint64_t position) : bytes_(bytes), position_(position) {}

  template <class T>
  T number() {
    return little_endian<T>(text(sizeof(T)));
  }
  std::string_view text(uint64_t length) {
    if (position_ > bytes_.size() || length > bytes_.size() - position_)
      throw DataError("a header reaches beyond the end of the file");
    const std::string_view found = bytes_.substr(position_, length);
    position_ += length;
    return found;
  }
  void skip(uint64_t length) { text(length); }
  void signature(uint32_t expected, std::string_view what) {
    if (number<uint32_t>() != expected)
      throw DataError(fmt::format("there is no {} at byte {}", what, position_ - 4));
  }
  uint64_t position() const { return position_; }

 private:
  std::string_view bytes_;
  uint64_t position_;
};

/// Where the directory lies, and of how many entries.
struct Directory {
  uint64_t entries = 0, size = 0, offset = 0;
};

Directory find_directory(std::string_view file) {
  if (file.size() < kEndLength) throw DataError("too short for a zip file");
  uint64_t end = file.size() - kEndLength;
  Cursor cursor(file, end);
  if (cursor.number<uint32_t>() != kEnd)
    throw DataError("its end is not that of a zip file; it may be cut off");
  const auto disk = cursor.number<uint16_t>(), directory_disk = cursor.number<uint16_t>();
  const auto here = cursor.number<uint16_t>(), count = cursor.number<uint16_t>();
  const auto size = cursor.number<uint32_t>(), offset = cursor.number<uint32_t>();
  if (disk != 0 || directory_disk != 0 || here != count || cursor.number<uint16_t>() != 0)
    throw DataError("the end of its directory is damaged");
  Directory directory{count, size, offset};
  const bool located = end >= kZip64LocatorLength &&
                       Cursor(file, end - kZip64LocatorLength).number<uint32_t>() == kZip64Locator;
  if (located) {
    Cursor locator(file, end - kZip64LocatorLength + 4);
    const auto locator_disk = locator.number<uint32_t>();
    const auto position = locator.number<uint64_t>();
    const auto disks = locator.number<uint32_t>();
    end -= kZip64LocatorLength;
    if (locator_disk != 0 || disks != 1 || end < kZip64EndLength || position != end - kZip64EndLength)
      throw DataError("the locator of its zip64 directory is damaged");
    end = position;
    Cursor record(file, position);
    record.signature(kZip64End, "end of a zip64 directory");
    const auto length = record.number<uint64_t>();
    record.skip(4);  // versions
    const auto disk_here = record.number<uint32_t>(), disk_of_directory = record.number<uint32_t>();
    const auto entries_here = record.number<uint64_t>();
    directory.entries = record.number<uint64_t>();
    directory.size = record.number<uint64_t>();
    directory.offset = record.number<uint64_t>();
    const auto agrees = [](uint64_t value, uint64_t field, uint64_t saturation) {
      return field == value || field == saturation;
    };
    if (length != kZip64EndLength - 12 || disk_here != 0 || disk_of_directory != 0 ||
        entries_here != directory.entries || !agrees(directory.entries, count, kSaturated16) ||
        !agrees(directory.size, size, kSaturated32) || !agrees(directory.offset, offset, kSaturated32))
      throw DataError("the end of its zip64 directory is damaged");
  }
  if (directory.offset > end || directory.size != end - directory.offset)
    throw DataError("its directory does not lie where its end says");
  if (directory.entries > directory.size / kDirectoryLength)
    throw DataError("its directory is too short for its entries");
  return directory;
}

/// What the directory says about one entry.
struct DirectoryEntry {
  uint16_t flags = 0;
  uint32_t crc = 0;
  uint32_t size_field = 0;
  uint64_t size = 0, offset = 0;
  std::string_view name;
};

/// The 64-bit values that stand in the zip64 field (tag 1) of a directory entry, for those of its fields that
/// are saturated.
void read_zip64(std::string_view extra, DirectoryEntry& entry, uint64_t& compressed) {
  Cursor cursor(extra, 0);
  while (cursor.position() < extra.size()) {
    const auto tag = cursor.number<uint16_t>(), length = cursor.number<uint16_t>();
    const std::string_view field = cursor.text(length);
    if (tag != 1) continue;
    Cursor values(field, 0);
    if (entry.size == kSaturated32) entry.size = values.number<uint64_t>();
    if (compressed == kSaturated32) compressed = values.number<uint64_t>();
    if (entry.offset == kSaturated32) entry.offset = values.number<uint64_t>();
    if (values.position() != field.size()) throw DataError("a zip64 field has a wrong length");
    return;
  }
}

DirectoryEntry read_directory_entry(Cursor& cursor) {
  DirectoryEntry entry;
  cursor.signature(kDirectoryHeader, "directory entry");
  cursor.skip(4);  // versions
  entry.flags = cursor.number<uint16_t>();
  const auto method = cursor.number<uint16_t>();
  cursor.skip(4);  // time and date
  entry.crc = cursor.number<uint32_t>();
  uint64_t compressed = cursor.number<uint32_t>();
  entry.size_field = cursor.number<uint32_t>();
  entry.size = entry.size_field;
  const auto name_length = cursor.number<uint16_t>(), extra_length = cursor.number<uint16_t>(),
             comment_length = cursor.number<uint16_t>(), disk = cursor.number<uint16_t>();
  cursor.skip(6);  // attributes
  entry.offset = cursor.number<uint32_t>();
  entry.name = cursor.text(name_length);
  read_zip64(cursor.text(extra_length), entry, compressed);
  if (method != 0)
    throw DataError(fmt::format("entry '{}' is compressed, which torch.save does not do", entry.name));
  if ((entry.flags & ~(kDescriptorFollows | kNamesAreUtf8)) != 0 || disk != 0 || comment_length != 0)
    throw DataError(fmt::format("entry '{}' is encrypted or damaged", entry.name));
  if (compressed != entry.size)
    throw DataError(fmt::format("the sizes of entry '{}' contradict each other", entry.name));
  return entry;
}

/// The entry's bytes: behind its own header, which must say what the directory says, and before `end`.
ZipEntry read_entry(std::string_view file, const DirectoryEntry& entry, uint64_t end) {
  const auto damaged = [&](std::string_view what) {
    return DataError(fmt::format("entry '{}' is damaged: {}", entry.name, what));
  };
  Cursor cursor(file.substr(0, end), entry.offset);
  cursor.signature(kLocalHeader, "header of an entry");
  cursor.skip(2);  // version
  const auto flags = cursor.number<uint16_t>(), method = cursor.number<uint16_t>();
  cursor.skip(4);  // time and date
  const auto crc = cursor.number<uint32_t>(), compressed = cursor.number<uint32_t>(),
             size = cursor.number<uint32_t>();
  const auto name_length = cursor.number<uint16_t>(), extra_length = cursor.number<uint16_t>();
  const bool described = (flags & kDescriptorFollows) != 0;
  const auto agrees = [&](uint32_t field, uint32_t expected) {
    return field == expected || (described && field == 0);
  };
  if (flags != entry.flags || method != 0 || cursor.text(name_length) != entry.name ||
      !agrees(crc, entry.crc) || !agrees(compressed, entry.size_field) || !agrees(size, entry.size_field))
    throw damaged("its header is not what the directory says");
  cursor.skip(extra_length);
  const ZipEntry found{std::string(entry.name), cursor.text(entry.size), entry.crc};
  if (described) {
    const bool wide = end - cursor.position() == 24;
    cursor.signature(kDescriptor, "data descriptor");
    const auto written_crc = cursor.number<uint32_t>();
    for (uint64_t written : {0, 0}) {
      written = wide ? cursor.number<uint64_t>() : cursor.number<uint32_t>();
      if (written != (wide ? entry.size : entry.size_field))
        throw damaged("its data descriptor has another size");
    }
    if (written_crc != entry.crc) throw damaged("its data descriptor has another CRC-32");
  }
  if (cursor.position() != end) throw damaged("bytes that belong to no entry follow it");
  if (const uint32_t computed = crc32_of(found.data); computed != entry.crc)
    throw damaged(
        fmt::format("its bytes have the CRC-32 {:08x}, not the recorded {:08x}{}", computed, entry.crc,
                    entry.crc == 0 ? " (a file of torch.serialization.set_crc32_options(False)?)" : ""));
  return found;
}

}  // namespace

std::vector<ZipEntry> read_stored_zip(std::string_view file) {
  const Directory directory = find_directory(file);
  const std::string_view listed = file.substr(0, directory.offset + directory.size);
  Cursor cursor(listed, directory.offset);
  std::vector<DirectoryEntry> described(directory.entries);
  std::set<std::string_view> names;
  for (DirectoryEntry& entry : described) {
    entry = read_directory_entry(cursor);
    if (!names.insert(entry.name).second)
      throw DataError(fmt::format("there are two entries '{}'", entry.name));
  }
  if (cursor.position() != listed.size()) throw DataError("its directory has more entries than its end says");
  std::vector<ZipEntry> entries;
  uint64_t begin = 0;
  for (size_t i = 0; i < described.size(); ++i) {
    const uint64_t end = i + 1 < described.size() ? described[i + 1].offset : directory.offset;
    if (described[i].offset != begin || end > directory.offset || end < begin || end - begin < kLocalLength)
      throw DataError(fmt::format("entry '{}' does not lie between its neighbours", described[i].name));
    entries.push_back(read_entry(file, described[i], end));
    begin = end;
  }
  if (begin != directory.offset) throw DataError("bytes that belong to no entry stand before its directory");
  return entries;
}

}  // namespace plumb
