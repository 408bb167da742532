/// The .pt files of torch.save, by rules of our own: a dict of named values whose tensors are bytes with
/// sizes and strides.
///
/// LibTorch's reader runs what the file says, and takes a view beyond its storage at its word; here
/// everything is checked against the file before anything is made of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plumb {

/// The types of elements that torch has storages for, in the order of element_types.
enum class ElementType : uint8_t {
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
  uint8,
  int8,
  int16,
  int32,
  int64,
  boolean,
};

struct ElementTypeInfo {
  std::string_view storage;  // the class of Python's torch
  int64_t bytes;             // of an element
};

inline constexpr std::array<ElementTypeInfo, 12> element_types{{{"HalfStorage", 2},
                                                                {"BFloat16Storage", 2},
                                                                {"FloatStorage", 4},
                                                                {"DoubleStorage", 8},
                                                                {"ComplexFloatStorage", 8},
                                                                {"ComplexDoubleStorage", 16},
                                                                {"ByteStorage", 1},
                                                                {"CharStorage", 1},
                                                                {"ShortStorage", 2},
                                                                {"IntStorage", 4},
                                                                {"LongStorage", 8},
                                                                {"BoolStorage", 1}}};

constexpr const ElementTypeInfo& info_of(ElementType type) {
  return element_types[static_cast<size_t>(type)];
}

/// A view of a storage. Read ones lie within their storage; those that share one have the same
/// `storage.data()`.
struct StoredTensor {
  ElementType type = ElementType::float32;
  std::string_view storage;  // all its bytes, little-endian; not owned
  int64_t offset = 0;        // in elements, as the strides
  std::vector<int64_t> sizes, strides;
};

/// A value of a saved dict that is none of those below: its kind, in words ("a list", "None").
struct OtherValue {
  std::string kind;
};

struct SavedDict {
  using Value = std::variant<StoredTensor, int64_t, double, std::string, SavedDict, OtherValue>;
  std::map<std::string, Value> values;
};

/// The dict that a file holds, with tensors that are views of `file`. Understood are (nested) dicts,
/// OrderedDicts with their attributes left out, dense tensors and parameters of every torch since 1.6,
/// numbers and texts. Throws DataError with the reason for everything else: files that are damaged, cut off
/// or of other formats; pickles that name anything but these, nest deeper than 64 levels or hold themselves;
/// views that reach outside their storage, or repeat it to more than 16 million elements.
SavedDict read_torch_file(std::string_view file);

/// The file of a dict, the same bytes for the same content. torch.load reads it, with weights_only too.
/// Expects contiguous tensors that fill their storage, and no OtherValue.
std::string write_torch_file(const SavedDict& dict);

}  // namespace plumb
