#include "plumb/data/gzip.hpp"

#include <algorithm>
#include <limits>

#include <zlib.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

namespace plumb {
namespace {

/// zlib's state for one file, released on every way out.
class Inflater {
 public:
  Inflater(std::string_view bytes, std::string_view name) : name_(name), rest_(bytes) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK)
      throw DataError(fmt::format("{}: zlib cannot start", name));
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Puts the next inflated bytes into `buffer`; 0 when all is read.
  size_t read(char* buffer, size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out > 0 && !finished_) step();
    return size - stream_.avail_out;
  }

 private:
  void step() {
    // avail_in counts in 32 bits, files may be longer.
    const auto given = static_cast<uInt>(std::min<size_t>(rest_.size(), std::numeric_limits<uInt>::max()));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
    stream_.avail_in = given;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    rest_.remove_prefix(given - stream_.avail_in);
    if (status == Z_STREAM_END) {
      next_member();
    } else if (status == Z_BUF_ERROR || (status == Z_OK && rest_.empty() && stream_.avail_out > 0)) {
      throw DataError(fmt::format("{}: the gzip stream ends early; the file is truncated", name_));
    } else if (status != Z_OK) {
      throw DataError(fmt::format("{}: the gzip stream is damaged: {}", name_,
                                  stream_.msg == nullptr ? zError(status) : stream_.msg));
    }
  }

  void next_member() {
    if (rest_.empty()) {
      finished_ = true;
    } else if (is_gzip(rest_)) {
      inflateReset(&stream_);
    } else {
      throw DataError(fmt::format("{}: {} bytes follow the end of the gzip stream; none are expected", name_,
                                  rest_.size()));
    }
  }

  std::string_view name_;
  std::string_view rest_;
  z_stream stream_{};
  bool finished_ = false;
};

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

std::string gunzip(std::string_view bytes, std::string_view name, int64_t limit) {
  if (!is_gzip(bytes)) throw DataError(fmt::format("{}: is not a gzip file", name));
  constexpr size_t kChunk = 1 << 16;
  Inflater inflater(bytes, name);
  std::string inflated;
  for (;;) {
    const size_t before = inflated.size();
    inflated.resize(before + kChunk);
    const size_t read = inflater.read(inflated.data() + before, kChunk);
    inflated.resize(before + read);
    if (read == 0) return inflated;
    if (static_cast<int64_t>(inflated.size()) > limit)
      throw DataError(
          fmt::format("{}: inflates to more than {} bytes, the most that is accepted", name, limit));
  }
}

std::string read_plain_or_gzip(const std::filesystem::path& file, int64_t limit) {
  std::string bytes = read_file(file);
  return is_gzip(bytes) ? gunzip(bytes, file.string(), limit) : bytes;
}

}  // namespace plumb
