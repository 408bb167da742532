/// Any bytes, taken as a whole file and as the pickle of a sound one, are either refused with a DataError or
/// a dict whose tensors lie in their storages and which, written and read again, is the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plumb/core/error.hpp"
#include "plumb/core/stored_zip.hpp"
#include "plumb/core/torch_file.hpp"

namespace {

using plumb::OtherValue;
using plumb::SavedDict;
using plumb::StoredTensor;

/// Reads the first and the last element of a view, as the sanitizer sees.
void touch(const StoredTensor& tensor) {
  int64_t last = tensor.offset;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    if (tensor.sizes[i] == 0) return;
    last += (tensor.sizes[i] - 1) * tensor.strides[i];
  }
  const int64_t bytes = plumb::info_of(tensor.type).bytes;
  const volatile char first = tensor.storage.data()[tensor.offset * bytes];
  const volatile char other = tensor.storage.data()[(last + 1) * bytes - 1];
  static_cast<void>(first);
  static_cast<void>(other);
}

/// The part that can be written: whole storages in place of views, nothing of other kinds.
SavedDict writable(const SavedDict& dict) {
  SavedDict result;
  for (const auto& [name, value] : dict.values) {
    if (std::holds_alternative<OtherValue>(value)) continue;
    if (const auto* inner = std::get_if<SavedDict>(&value))
      result.values.emplace(name, writable(*inner));
    else if (const auto* tensor = std::get_if<StoredTensor>(&value)) {
      touch(*tensor);
      const int64_t count = static_cast<int64_t>(tensor->storage.size()) / plumb::info_of(tensor->type).bytes;
      result.values.emplace(name, StoredTensor{tensor->type, tensor->storage, 0, {count}, {1}});
    } else
      result.values.emplace(name, value);
  }
  return result;
}

void read(std::string_view file) {
  SavedDict dict;
  try {
    dict = plumb::read_torch_file(file);
  } catch (const plumb::DataError&) {
    return;
  }
  dict = writable(dict);
  std::string written;
  size_t bytes = 0;
  for (const auto& [name, value] : dict.values)
    if (const auto* tensor = std::get_if<StoredTensor>(&value)) bytes += tensor->storage.size();
  if (bytes > (size_t{1} << 24)) return;
  written = plumb::write_torch_file(dict);
  if (plumb::write_torch_file(plumb::read_torch_file(written)) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  static const std::string floats(24, '\0'), flags("\0\1\0", 3);
  read(plumb::write_stored_zip(
      {plumb::make_zip_entry("a/data.pkl", bytes), plumb::make_zip_entry("a/data/0", floats),
       plumb::make_zip_entry("a/data/1", flags), plumb::make_zip_entry("a/data/2", {})}));
  return 0;
}
