#include "plumb/data/fetch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/system_call.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void part_failed(const fs::path& file, std::string_view action, int error) {
  throw DataError(fmt::format("{}: cannot {}: {}", file.string(), action, std::strerror(error)));
}

/// The growing file, locked against a second download.
class PartFile {
 public:
  /// Throws DataError, also when another download holds it.
  explicit PartFile(fs::path path) : path_(std::move(path)) {
    descriptor_ =
        uninterrupted([&] { return ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644); });
    if (descriptor_ < 0) part_failed(path_, "write", errno);
    if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) != 0) {
      const int error = errno;
      ::close(descriptor_);
      if (error != EWOULDBLOCK) part_failed(path_, "lock", error);
      throw DataError(fmt::format("{}: another download is writing it; wait until it ends", path_.string()));
    }
    struct stat status {};
    if (::fstat(descriptor_, &status) == 0) size_ = static_cast<int64_t>(status.st_size);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() { ::close(descriptor_); }

  const fs::path& path() const { return path_; }
  int64_t size() const { return size_; }

  /// False when the name no longer leads to this file: another download finished it before it was locked.
  bool in_place() const {
    struct stat here {
    }, there{};
    return ::fstat(descriptor_, &here) == 0 && ::stat(path_.c_str(), &there) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
  }

  /// False, with errno set, when the disk takes no more.
  bool append(const char* bytes, size_t count) {
    if (!write_all(descriptor_, {bytes, count})) return false;
    size_ += static_cast<int64_t>(count);
    return true;
  }

  void clear() {
    if (uninterrupted([&] { return ::ftruncate(descriptor_, 0); }) != 0) part_failed(path_, "write", errno);
    size_ = 0;
  }

  void remove() { ::unlink(path_.c_str()); }

  void become(const fs::path& target) {
    if (uninterrupted([&] { return ::fsync(descriptor_); }) != 0) part_failed(path_, "write", errno);
    if (::rename(path_.c_str(), target.c_str()) != 0) part_failed(target, "write", errno);
  }

 private:
  fs::path path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// What curl's callbacks share. They are called from C, so nothing may be thrown through them.
struct Transfer {
  PartFile& part;
  const RemoteFile& file;
  const FetchOptions& options;
  int write_error = 0;
  bool too_large = false;
  std::exception_ptr thrown;
};

size_t transfer_write(char* bytes, size_t, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (transfer.part.size() + static_cast<int64_t>(count) > transfer.file.bytes) {
    transfer.too_large = true;
    return 0;
  }
  if (transfer.part.append(bytes, count)) return count;
  transfer.write_error = errno;
  return 0;
}

int transfer_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  try {
    if (transfer.options.progress)
      transfer.options.progress(transfer.file.path.filename().string(), transfer.part.size(),
                                transfer.file.bytes);
    return 0;
  } catch (...) {
    transfer.thrown = std::current_exception();
    return 1;
  }
}

struct CurlCloser {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlHandle = std::unique_ptr<CURL, CurlCloser>;

CurlHandle open_curl(const std::string& url, Transfer& transfer, char* message) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  CurlHandle handle(started == CURLE_OK ? curl_easy_init() : nullptr);
  if (handle == nullptr) throw DataError(fmt::format("{}: libcurl cannot start", url));
  CURL* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "plumb");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  // A server may send us to another one, but not to our own files.
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(transfer.options.bytes_per_second));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(transfer.options.patience));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, transfer_write);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, transfer_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.part.size()));
  return handle;
}

/// True when the server cannot continue from where the .part ends: it ignores ranges or has a shorter file.
bool resume_refused(CURLcode code, long response) {
  return code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME ||
         (code == CURLE_HTTP_RETURNED_ERROR && response == 416);
}

/// Brings the .part to its full size from one place; the reason when that failed, empty when it succeeded.
/// Failures that no other place would cure are thrown.
std::string download(const std::string& url, PartFile& part, const RemoteFile& file,
                     const FetchOptions& options) {
  std::array<char, CURL_ERROR_SIZE> message{};
  Transfer transfer{part, file, options, 0, false, nullptr};
  const int64_t begin = part.size();
  const CurlHandle handle = open_curl(url, transfer, message.data());
  const CURLcode code = curl_easy_perform(handle.get());
  long response = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &response);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (transfer.write_error != 0) part_failed(part.path(), "write", transfer.write_error);
  if (begin > 0 && resume_refused(code, response)) {
    part.clear();
    return download(url, part, file, options);
  }
  if (code == CURLE_OK && part.size() == file.bytes) return {};
  if (transfer.too_large || code == CURLE_OK) {
    const std::string found = transfer.too_large ? "more" : std::to_string(part.size());
    part.clear();  // not the beginning of the file either
    return fmt::format("answers with {} bytes; {} are expected", found, file.bytes);
  }
  const std::string reason = message[0] != '\0' ? message.data() : curl_easy_strerror(code);
  if (part.size() == 0) return reason;
  return fmt::format("{}, after {} of {} bytes; fetch again to continue", reason, part.size(), file.bytes);
}

void download_from_any(PartFile& part, const RemoteFile& file, const FetchOptions& options) {
  std::vector<std::string> failures;
  for (const std::string& url : file.urls) {
    if (part.size() == file.bytes) return;
    const std::string reason = download(url, part, file, options);
    if (reason.empty()) return;
    failures.push_back(fmt::format("{}: {}", url, reason));
  }
  if (part.size() == file.bytes) return;
  if (part.size() == 0) part.remove();
  throw DataError(fmt::format("{}", fmt::join(failures, "; ")));
}

bool is_right(const fs::path& path, const RemoteFile& file) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return !error && static_cast<int64_t>(size) == file.bytes && sha256_of(path) == file.sha256;
}

}  // namespace

std::string sha256_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) part_failed(file, "read", errno);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool works = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  std::vector<char> chunk(1 << 16);
  while (works && stream) {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    works = EVP_DigestUpdate(context.get(), chunk.data(), static_cast<size_t>(stream.gcount())) == 1;
  }
  if (stream.bad()) part_failed(file, "read", errno);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (!works || EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1)
    throw DataError(fmt::format("{}: OpenSSL cannot compute its SHA-256", file.string()));
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

fs::path fetch_file(const RemoteFile& file, const fs::path& folder, const FetchOptions& options) {
  const fs::path target = folder / file.path;
  make_directory(target.parent_path());
  constexpr int attempts = 10;  // each one finds that another download has just ended
  for (int i = 0; i < attempts; ++i) {
    if (is_right(target, file)) return target;
    PartFile part(target.string() + ".part");
    if (!part.in_place()) continue;
    if (part.size() > file.bytes) part.clear();
    download_from_any(part, file, options);
    const std::string found = sha256_of(part.path());
    if (found != file.sha256) {
      part.remove();
      throw DataError(fmt::format("{}: the download has SHA-256 {}; {} is expected; it was removed",
                                  target.string(), found, file.sha256));
    }
    part.become(target);
    return target;
  }
  throw DataError(fmt::format("{}: other downloads keep taking it away", target.string() + ".part"));
}

std::vector<fs::path> fetch(const std::string& name, const fs::path& folder, const FetchOptions& options,
                            const std::string& url) {
  std::vector<fs::path> paths;
  for (RemoteFile& file : remote_files(name)) {
    if (!url.empty()) file.urls = {url + (url.ends_with('/') ? "" : "/") + file.path.filename().string()};
    paths.push_back(fetch_file(file, folder, options));
  }
  return paths;
}

}  // namespace plumb
