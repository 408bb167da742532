#include "plumb/core/bytes.hpp"
#include "plumb/core/crc32.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/stored_zip.hpp"
#include "plumb/core/stored_zip_format.hpp"

namespace plumb {
namespace {

using namespace zip;

uint32_t saturated(uint64_t value) {
  return value >= kSaturated32 ? kSaturated32 : static_cast<uint32_t>(value);
}

/// Writes the headers of a file without its data.
class Layout {
 public:
  explicit Layout(const std::vector<ZipEntry>& entries) {
    std::string directory;
    for (const ZipEntry& entry : entries) {
      before_.push_back(local_header(entry));
      append_directory_entry(directory, entry);
      position_ += before_.back().size() + entry.data.size();
    }
    end_ = std::move(directory);
    append_end(entries.size(), end_.size());
    size_ = position_ + end_.size();
  }

  const std::string& before(size_t entry) const { return before_[entry]; }
  const std::string& end() const { return end_; }
  uint64_t size() const { return size_; }

 private:
  std::string local_header(const ZipEntry& entry) const {
    std::string zip64;
    if (entry.data.size() >= kSaturated32) {
      append_little_endian(zip64, uint16_t{1});
      append_little_endian(zip64, uint16_t{16});
      append_little_endian(zip64, uint64_t{entry.data.size()});
      append_little_endian(zip64, uint64_t{entry.data.size()});
    }
    // The padding is a field of its own, which has four bytes at least.
    const uint64_t begin = position_ + kLocalLength + entry.name.size() + zip64.size() + 4;
    const uint64_t padding = (kAlignment - begin % kAlignment) % kAlignment;
    std::string header;
    append_little_endian(header, kLocalHeader);
    append_little_endian(header, version_for(entry.data.size()));
    append_common(header, entry);
    append_little_endian(header, static_cast<uint16_t>(entry.name.size()));
    append_little_endian(header, static_cast<uint16_t>(zip64.size() + 4 + padding));
    header += entry.name + zip64 + "FB";  // the tag that LibTorch gives its padding
    append_little_endian(header, static_cast<uint16_t>(padding));
    header.append(padding, 'Z');
    return header;
  }

  void append_directory_entry(std::string& directory, const ZipEntry& entry) const {
    std::string zip64;
    if (entry.data.size() >= kSaturated32) {
      append_little_endian(zip64, uint64_t{entry.data.size()});
      append_little_endian(zip64, uint64_t{entry.data.size()});
    }
    if (position_ >= kSaturated32) append_little_endian(zip64, position_);
    append_little_endian(directory, kDirectoryHeader);
    append_little_endian(directory, uint16_t{45});
    append_little_endian(directory, version_for(zip64.empty() ? 0 : kSaturated32));
    append_common(directory, entry);
    append_little_endian(directory, static_cast<uint16_t>(entry.name.size()));
    append_little_endian(directory, static_cast<uint16_t>(zip64.empty() ? 0 : zip64.size() + 4));
    directory.append(10, '\0');  // comment, disk, attributes
    append_little_endian(directory, saturated(position_));
    directory += entry.name;
    if (zip64.empty()) return;
    append_little_endian(directory, uint16_t{1});
    append_little_endian(directory, static_cast<uint16_t>(zip64.size()));
    directory += zip64;
  }

  void append_end(uint64_t entries, uint64_t size) {
    if (position_ >= kSaturated32 || size >= kSaturated32 || entries >= kSaturated16) {
      append_little_endian(end_, kZip64End);
      append_little_endian(end_, kZip64EndLength - 12);
      append_little_endian(end_, uint16_t{45});
      append_little_endian(end_, uint16_t{45});
      append_little_endian(end_, uint64_t{0});  // disks
      for (const uint64_t value : {entries, entries, size, position_}) append_little_endian(end_, value);
      append_little_endian(end_, kZip64Locator);
      append_little_endian(end_, uint32_t{0});
      append_little_endian(end_, position_ + size);
      append_little_endian(end_, uint32_t{1});
    }
    append_little_endian(end_, kEnd);
    append_little_endian(end_, uint32_t{0});  // disks
    const auto count = static_cast<uint16_t>(entries >= kSaturated16 ? kSaturated16 : entries);
    append_little_endian(end_, count);
    append_little_endian(end_, count);
    append_little_endian(end_, saturated(size));
    append_little_endian(end_, saturated(position_));
    append_little_endian(end_, uint16_t{0});  // comment
  }

  static uint16_t version_for(uint64_t size) { return size >= kSaturated32 ? 45 : 20; }

  /// From the flags to the sizes, which both headers of an entry have.
  static void append_common(std::string& header, const ZipEntry& entry) {
    append_little_endian(header, kNamesAreUtf8);
    header.append(4, '\0');                      // stored; no time
    append_little_endian(header, uint16_t{33});  // 1980-01-01, the first date
    append_little_endian(header, entry.crc);
    append_little_endian(header, saturated(entry.data.size()));
    append_little_endian(header, saturated(entry.data.size()));
  }

  std::vector<std::string> before_;
  std::string end_;
  uint64_t position_ = 0, size_ = 0;
};

}  // namespace

ZipEntry make_zip_entry(std::string name, std::string_view data) {
  expects(name.size() < kSaturated16, "a zip entry's name has {} bytes", name.size());
  return {std::move(name), data, crc32_of(data)};
}

std::string write_stored_zip(const std::vector<ZipEntry>& entries) {
  const Layout layout(entries);
  std::string file;
  file.reserve(layout.size());
  for (size_t i = 0; i < entries.size(); ++i) file.append(layout.before(i)).append(entries[i].data);
  return file += layout.end();
}

bool is_as_written(std::string_view file, const std::vector<ZipEntry>& entries) {
  const Layout layout(entries);
  if (layout.size() != file.size()) return false;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!file.starts_with(layout.before(i))) return false;
    file.remove_prefix(layout.before(i).size() + entries[i].data.size());
  }
  return file == layout.end();
}

}  // namespace plumb
