#include "plumb/core/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plumb/core/crc32.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/replacement_file.hpp"
#include "plumb/core/system_call.hpp"

namespace plumb {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view action, int error) {
  throw DataError(fmt::format("{}: cannot {}: {}", file.string(), action, std::strerror(error)));
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

/// Makes new names in the folder survive a power cut; not every file system can.
void flush_names(const std::filesystem::path& folder) {
  const int directory =
      uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (directory < 0) return;
  uninterrupted([&] { return ::fsync(directory); });
  ::close(directory);
}

/// Closes a descriptor at the end of its scope.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& file, int flags)
      : descriptor_(uninterrupted([&] { return ::open(file.c_str(), flags | O_CLOEXEC); })) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

std::string read_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    throw DataError(fmt::format("{}: is a folder; a file is expected", file.string()));
  const OpenFile open(file, O_RDONLY);
  if (open.descriptor() < 0) fail(file, "read", errno);
  struct stat status {};
  const bool sized = ::fstat(open.descriptor(), &status) == 0 && S_ISREG(status.st_mode);
  // One byte more, to see the end without growing; files of /proc and pipes have no size.
  std::string bytes(sized ? static_cast<size_t>(status.st_size) + 1 : 0, '\0');
  size_t length = 0;
  while (true) {
    if (length == bytes.size()) bytes.resize(std::max<size_t>(2 * length, 1 << 16));
    const ssize_t count = uninterrupted(
        [&] { return ::read(open.descriptor(), bytes.data() + length, bytes.size() - length); });
    if (count < 0) fail(file, "read", errno);
    if (count == 0) break;
    length += static_cast<size_t>(count);
  }
  bytes.resize(length);
  return bytes;
}

void write_file_atomically(const std::filesystem::path& file, std::string_view bytes, Flush flush) {
  ReplacementFile replacement(file);
  replacement.write(bytes);
  if (flush == Flush::now) replacement.flush();
  replacement.replace();
  if (flush == Flush::now) flush_names(folder_of(file));
}

void flush_files(const std::vector<std::filesystem::path>& files) {
  std::set<std::filesystem::path> folders;
  for (const auto& file : files) {
    const OpenFile open(file, O_RDONLY);
    if (open.descriptor() < 0) fail(file, "flush", errno);
    if (uninterrupted([&] { return ::fsync(open.descriptor()); }) != 0) fail(file, "flush", errno);
    folders.insert(folder_of(file));
  }
  for (const auto& folder : folders) flush_names(folder);
}

void make_directory(const std::filesystem::path& folder) {
  const std::error_code error =
      uninterrupted_error([&](auto& failed) { std::filesystem::create_directories(folder, failed); });
  if (!error) return;
  std::error_code unknown;
  for (std::filesystem::path part = folder; part.has_relative_path(); part = part.parent_path())
    if (std::filesystem::is_symlink(part, unknown) && !std::filesystem::exists(part, unknown))
      throw DataError(fmt::format("{}: cannot make the folder: it is a link to {}, which is not there",
                                  part.string(), std::filesystem::read_symlink(part, unknown).string()));
  fail(folder, "make the folder", error.value());
}

void remove_path(const std::filesystem::path& path) {
  const std::error_code error =
      uninterrupted_error([&](auto& failed) { std::filesystem::remove_all(path, failed); });
  if (error) throw DataError(fmt::format("{}: cannot remove: {}", path.string(), error.message()));
}

AppendFile::AppendFile(std::filesystem::path file, int64_t length) : file_(std::move(file)), length_(length) {
  descriptor_ = uninterrupted([&] { return ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644); });
  if (descriptor_ < 0) fail(file_, "write", errno);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_size < length) {
    ::close(descriptor_);
    throw DataError(fmt::format("{}: holds {} bytes; the checkpoint expects at least {}", file_.string(),
                                static_cast<int64_t>(status.st_size), length));
  }
  if (uninterrupted([&] { return ::ftruncate(descriptor_, length); }) != 0 ||
      ::lseek(descriptor_, length, SEEK_SET) < 0) {
    const int error = errno;
    ::close(descriptor_);
    fail(file_, "write", error);
  }
  if (length > 0) checksum_ = crc32_of(read_file(file_));
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : file_(std::move(other.file_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      length_(other.length_),
      checksum_(other.checksum_) {}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view text) {
  if (!write_all(descriptor_, text)) fail(file_, "write", errno);
  length_ += static_cast<int64_t>(text.size());
  checksum_ = crc32_of(text, checksum_);
}

void AppendFile::expect_checksum(int64_t checksum) const {
  if (checksum == checksum_) return;
  throw DataError(fmt::format("{}: its first {} bytes are not those that were written before the checkpoint",
                              file_.string(), length_));
}

void AppendFile::sync() {
  if (uninterrupted([&] { return ::fsync(descriptor_); }) != 0) fail(file_, "write", errno);
}

}  // namespace plumb
