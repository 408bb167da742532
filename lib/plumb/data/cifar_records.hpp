/// The records of CIFAR-10's binary files: a label and 3,072 pixels each.
#pragma once

#include <cstdint>
#include <string_view>

namespace plumb {

/// The records of one file. A record is one byte of label, 0 .. 9, then 1,024 red, 1,024 green and 1,024 blue
/// bytes, each a 32 x 32 image by rows (Krizhevsky 2009, "CIFAR-10 binary version").
class CifarRecords {
 public:
  static constexpr int64_t kPixels = 3 * 32 * 32;
  static constexpr int64_t kRecord = 1 + kPixels;
  static constexpr int64_t kClasses = 10;
  static constexpr int64_t kRecordsPerFile = 10000;  // in the files of the whole set

  /// Checks and keeps a view of `bytes`, which must outlive it; `name` stands in messages. Throws DataError
  /// when they are not a positive whole number of records or when a label is above 9.
  CifarRecords(std::string_view bytes, std::string_view name);

  int64_t size() const { return static_cast<int64_t>(bytes_.size()) / kRecord; }
  uint8_t label(int64_t i) const { return static_cast<uint8_t>(bytes_[static_cast<size_t>(i * kRecord)]); }
  std::string_view pixels(int64_t i) const {
    return bytes_.substr(static_cast<size_t>(i * kRecord + 1), static_cast<size_t>(kPixels));
  }

 private:
  std::string_view bytes_;
};

}  // namespace plumb
