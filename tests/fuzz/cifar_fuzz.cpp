/// Any bytes are either refused with a DataError or whole records with labels below ten.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plumb/core/error.hpp"
#include "plumb/data/cifar_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const plumb::CifarRecords records({reinterpret_cast<const char*>(data), size}, "fuzz");
    size_t bytes = 0;
    for (int64_t i = 0; i < records.size(); ++i) {
      if (records.label(i) > 9) std::abort();
      bytes += 1 + records.pixels(i).size();
    }
    if (bytes != size || records.size() == 0) std::abort();
  } catch (const plumb::DataError&) {
  }
  return 0;
}
