#include "plumb/data/tar.hpp"

#include <algorithm>
#include <memory>

#include <archive.h>
#include <archive_entry.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

struct TarCloser {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using TarHandle = std::unique_ptr<archive, TarCloser>;

[[noreturn]] void tar_failed(archive* handle, const std::filesystem::path& file) {
  const char* reason = archive_error_string(handle);
  throw DataError(fmt::format("{}: cannot read the archive: {}", file.string(),
                              reason == nullptr ? "unknown reason" : reason));
}

/// The contents of the member whose header was read last.
std::string tar_member(archive* handle, const std::filesystem::path& file, const std::string& name,
                       int64_t limit) {
  std::string bytes;
  std::string chunk(1 << 16, '\0');
  for (;;) {
    const la_ssize_t read = archive_read_data(handle, chunk.data(), chunk.size());
    if (read < 0) tar_failed(handle, file);
    if (read == 0) return bytes;
    bytes.append(chunk, 0, static_cast<size_t>(read));
    if (static_cast<int64_t>(bytes.size()) > limit)
      throw DataError(fmt::format("{}: member {} holds more than {} bytes, the most that is accepted",
                                  file.string(), name, limit));
  }
}

}  // namespace

std::map<std::string, std::string> read_tar(const std::filesystem::path& file,
                                            const std::vector<std::string>& names, int64_t limit) {
  const TarHandle handle(archive_read_new());
  archive_read_support_filter_gzip(handle.get());  // the others would start programs
  archive_read_support_format_tar(handle.get());
  constexpr size_t kBlock = 1 << 16;
  if (archive_read_open_filename(handle.get(), file.c_str(), kBlock) != ARCHIVE_OK)
    tar_failed(handle.get(), file);
  std::map<std::string, std::string> members;
  archive_entry* entry = nullptr;
  for (;;) {
    const int status = archive_read_next_header(handle.get(), &entry);
    if (status == ARCHIVE_EOF) return members;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) tar_failed(handle.get(), file);
    const char* path = archive_entry_pathname(entry);
    if (path == nullptr || archive_entry_filetype(entry) != AE_IFREG) continue;
    const std::string name = std::filesystem::path(path).filename().string();
    if (std::find(names.begin(), names.end(), name) != names.end())
      members[name] = tar_member(handle.get(), file, name, limit);
  }
}

}  // namespace plumb
