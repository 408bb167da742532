#include "plumb/data/cifar_records.hpp"

#include "plumb/core/error.hpp"

namespace plumb {

CifarRecords::CifarRecords(std::string_view bytes, std::string_view name) : bytes_(bytes) {
  if (bytes.empty())
    throw DataError(fmt::format("{}: is empty; CIFAR-10 records of {} bytes are expected", name, kRecord));
  const int64_t rest = static_cast<int64_t>(bytes.size()) % kRecord;
  if (rest != 0)
    throw DataError(
        fmt::format("{}: holds {} bytes, {} records and {} bytes more; a whole number of CIFAR-10 records "
                    "of {} bytes is expected",
                    name, bytes.size(), size(), rest, kRecord));
  for (int64_t i = 0; i < size(); ++i)
    if (label(i) >= kClasses)
      throw DataError(fmt::format("{}: record {} has label {} at byte {}; labels 0 to {} are expected", name,
                                  i, label(i), i * kRecord, kClasses - 1));
}

}  // namespace plumb
