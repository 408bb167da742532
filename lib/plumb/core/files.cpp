#include "plumb/core/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view action, int error) {
  throw DataError(fmt::format("{}: cannot {}: {}", file.string(), action, std::strerror(error)));
}

/// Writes all of `bytes`; write(2) may take them in parts and may be interrupted by a signal.
bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

/// Makes new names in the folder survive a power cut; not every file system can.
void flush_names(const std::filesystem::path& folder) {
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace

std::string read_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    throw DataError(fmt::format("{}: is a folder; a file is expected", file.string()));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail(file, "read", errno);
  std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) fail(file, "read", errno);
  return bytes;
}

void write_file_atomically(const std::filesystem::path& file, std::string_view bytes, Flush flush) {
  const std::filesystem::path temporary = file.string() + fmt::format(".{}.part", ::getpid());
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) fail(file, "write", errno);
  const bool written = write_all(descriptor, bytes) && (flush == Flush::later || ::fsync(descriptor) == 0);
  int error = written ? 0 : errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), file.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail(file, "write", error);
  }
  if (flush == Flush::now) flush_names(folder_of(file));
}

void flush_files(const std::vector<std::filesystem::path>& files) {
  std::set<std::filesystem::path> folders;
  for (const auto& file : files) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(file, "flush", errno);
    const int error = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    if (error != 0) fail(file, "flush", error);
    folders.insert(folder_of(file));
  }
  for (const auto& folder : folders) flush_names(folder);
}

void make_directory(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return;
  std::error_code unknown;
  for (std::filesystem::path part = folder; part.has_relative_path(); part = part.parent_path())
    if (std::filesystem::is_symlink(part, unknown) && !std::filesystem::exists(part, unknown))
      throw DataError(fmt::format("{}: cannot make the folder: it is a link to {}, which is not there",
                                  part.string(), std::filesystem::read_symlink(part, unknown).string()));
  fail(folder, "make the folder", error.value());
}

AppendFile::AppendFile(std::filesystem::path file, int64_t length) : file_(std::move(file)), length_(length) {
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(file_, "write", errno);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_size < length) {
    ::close(descriptor_);
    throw DataError(fmt::format("{}: holds {} bytes; the checkpoint expects at least {}", file_.string(),
                                static_cast<int64_t>(status.st_size), length));
  }
  if (::ftruncate(descriptor_, length) != 0 || ::lseek(descriptor_, length, SEEK_SET) < 0) {
    const int error = errno;
    ::close(descriptor_);
    fail(file_, "write", error);
  }
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : file_(std::move(other.file_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      length_(other.length_) {}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view text) {
  if (!write_all(descriptor_, text)) fail(file_, "write", errno);
  length_ += static_cast<int64_t>(text.size());
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail(file_, "write", errno);
}

}  // namespace plumb
