/// Files read and written whole; a write either happens completely or leaves what was there before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// The bytes of a file. Throws DataError naming the file and the reason.
std::string read_file(const std::filesystem::path& file);

enum class Flush {
  now,    // what was written survives a power cut
  later,  // once flush_files was called: for files that nothing refers to before
};

/// Writes to a temporary name beside `file`, flushes to the disk, then renames: a reader, a crash or a full
/// disk never sees half a file. Throws DataError naming the file and the reason; the old content then still
/// stands.
void write_file_atomically(const std::filesystem::path& file, std::string_view bytes,
                           Flush flush = Flush::now);

/// Forces files, and their names in their folders, to the disk. Throws DataError naming the file and the
/// reason.
void flush_files(const std::vector<std::filesystem::path>& files);

/// Makes a folder and its parents. Throws DataError naming the folder and the reason.
void make_directory(const std::filesystem::path& folder);

/// Removes a file, or a folder with all in it; one that is not there is none. Throws DataError naming it and
/// the reason.
void remove_path(const std::filesystem::path& path);

/// A text file that grows by lines and can be cut back to an earlier length when a run resumes.
class AppendFile {
 public:
  /// Opens or creates `file` and cuts it to its first `length` bytes.
  /// Throws DataError when it cannot be opened or is shorter than that.
  AppendFile(std::filesystem::path file, int64_t length);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  /// Appends text. Throws DataError (disk full, ...).
  void append(std::string_view text);
  /// Forces what was appended to the disk.
  void sync();
  int64_t length() const { return length_; }
  /// CRC-32 of what the file holds.
  int64_t checksum() const { return checksum_; }
  /// Throws DataError when that is not `checksum`: somebody else has changed the file.
  void expect_checksum(int64_t checksum) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  int64_t length_ = 0;
  uint32_t checksum_ = 0;
};

}  // namespace plumb
