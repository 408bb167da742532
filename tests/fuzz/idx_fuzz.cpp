/// Any bytes, plain or gzip, are either refused with a DataError or an IDX array whose values fill its sizes.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "plumb/core/error.hpp"
#include "plumb/data/gzip.hpp"
#include "plumb/data/idx.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kLimit = 1 << 20;
  try {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    if (plumb::is_gzip(bytes)) bytes = plumb::gunzip(bytes, "fuzz", kLimit);
    const plumb::IdxArray array = plumb::parse_idx(bytes, "fuzz");
    size_t count = 1;
    for (const int64_t extent : array.sizes) count *= static_cast<size_t>(extent);
    if (count != array.values.size() || array.sizes.empty()) std::abort();
    if (array.values.data() + count != bytes.data() + bytes.size()) std::abort();
  } catch (const plumb::DataError&) {
  }
  return 0;
}
