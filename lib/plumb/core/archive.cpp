#include "plumb/core/archive.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <vector>

#include <ATen/ATen.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/torch_file.hpp"

namespace plumb {
namespace {

/// In the order of ElementType.
constexpr std::array<at::ScalarType, element_types.size()> scalar_types{
    at::kHalf, at::kBFloat16, at::kFloat, at::kDouble, at::kComplexFloat, at::kComplexDouble,
    at::kByte, at::kChar,     at::kShort, at::kInt,    at::kLong,         at::kBool};

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

/// Makes saved dicts of archives; keeps the tensors alive whose bytes they point at.
class Packing {
 public:
  SavedDict pack(const Archive& archive) {
    SavedDict dict;
    for (const auto& [name, value] : archive.values()) dict.values.emplace(name, pack(name, value));
    return dict;
  }

 private:
  SavedDict::Value pack(const std::string& name, const Archive::Value& value) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) return pack(name, *tensor);
    if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* inner = std::get_if<Archive>(&value)) return pack(*inner);
    return OtherValue{std::get<Archive::Other>(value).kind};
  }

  StoredTensor pack(const std::string& name, const Tensor& tensor) {
    const auto* type = std::find(scalar_types.begin(), scalar_types.end(), tensor.scalar_type());
    expects(tensor.layout() == at::kStrided && type != scalar_types.end(),
            "tensor '{}' of kind {} cannot be saved", name, at::toString(tensor.scalar_type()));
    // A view would drag its whole storage into the file.
    const Tensor& kept = kept_.emplace_back(tensor.detach().cpu().contiguous().resolve_conj().resolve_neg());
    return {static_cast<ElementType>(type - scalar_types.begin()), bytes_of(kept), 0, kept.sizes().vec(),
            kept.strides().vec()};
  }

  std::vector<Tensor> kept_;
};

/// Makes archives of saved dicts, whose bytes it copies: one tensor for each storage, and views of it.
class Unpacking {
 public:
  Archive unpack(const SavedDict& dict) {
    Archive archive;
    for (const auto& [name, value] : dict.values) {
      if (const auto* tensor = std::get_if<StoredTensor>(&value))
        archive.put(name, unpack(*tensor));
      else if (const auto* inner = std::get_if<SavedDict>(&value))
        archive.put(name, unpack(*inner));
      else if (const auto* other = std::get_if<OtherValue>(&value))
        archive.put(name, Archive::Other{other->kind});
      else if (const auto* integer = std::get_if<int64_t>(&value))
        archive.put(name, *integer);
      else if (const auto* number = std::get_if<double>(&value))
        archive.put(name, *number);
      else
        archive.put(name, std::get<std::string>(value));
    }
    return archive;
  }

 private:
  Tensor unpack(const StoredTensor& stored) {
    Tensor& storage = storages_[stored.storage.data()];
    if (!storage.defined()) {
      const at::ScalarType type = scalar_types[static_cast<size_t>(stored.type)];
      storage = at::empty({static_cast<int64_t>(stored.storage.size()) / info_of(stored.type).bytes}, type);
      if (!stored.storage.empty())
        std::memcpy(storage.data_ptr(), stored.storage.data(), stored.storage.size());
    }
    return storage.as_strided(stored.sizes, stored.strides, stored.offset);
  }

  std::unordered_map<const char*, Tensor> storages_;
};

template <class T>
const T& get(const std::map<std::string, Archive::Value>& values, const std::string& name,
             std::string_view kind) {
  const auto found = values.find(name);
  if (found == values.end()) throw DataError(fmt::format("the archive has no entry '{}'", name));
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    const auto* other = std::get_if<Archive::Other>(&found->second);
    throw DataError(fmt::format("the archive's entry '{}' is {}not a {}", name,
                                other ? other->kind + " and " : "", kind));
  }
  return *value;
}

}  // namespace

void Archive::put(const std::string& name, Tensor value) { values_.insert_or_assign(name, std::move(value)); }
void Archive::put(const std::string& name, int64_t value) { values_.insert_or_assign(name, value); }
void Archive::put(const std::string& name, double value) { values_.insert_or_assign(name, value); }
void Archive::put(const std::string& name, std::string value) {
  values_.insert_or_assign(name, std::move(value));
}
void Archive::put(const std::string& name, Other value) { values_.insert_or_assign(name, std::move(value)); }
void Archive::put(const std::string& name, Archive value) {
  values_.insert_or_assign(name, std::move(value));
}

Tensor Archive::tensor(const std::string& name) const { return get<Tensor>(values_, name, "tensor"); }
int64_t Archive::integer(const std::string& name) const {
  return get<int64_t>(values_, name, "whole number");
}
double Archive::number(const std::string& name) const { return get<double>(values_, name, "number"); }
const std::string& Archive::text(const std::string& name) const {
  return get<std::string>(values_, name, "text");
}
const Archive& Archive::archive(const std::string& name) const {
  return get<Archive>(values_, name, "group");
}

void Archive::save(const std::filesystem::path& file, Flush flush) const {
  Packing packing;
  write_file_atomically(file, write_torch_file(packing.pack(*this)), flush);
}

Archive Archive::load(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  try {
    return Unpacking().unpack(read_torch_file(bytes));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: not a readable archive: {}", file.string(), error.what()));
  }
}

}  // namespace plumb
