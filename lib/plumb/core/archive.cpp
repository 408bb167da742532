#include "plumb/core/archive.hpp"

#include <torch/serialize.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

namespace plumb {
namespace {

using Dict = c10::Dict<std::string, c10::IValue>;

c10::impl::GenericDict to_dict(const Archive& archive) {
  c10::impl::GenericDict dict(c10::StringType::get(), c10::AnyType::get());
  for (const auto& [name, value] : archive.values()) {
    if (const auto* tensor = std::get_if<Tensor>(&value))
      // A view would drag its whole storage into the file.
      dict.insert(name, tensor->detach().cpu().clone(at::MemoryFormat::Contiguous));
    else if (const auto* integer = std::get_if<int64_t>(&value))
      dict.insert(name, *integer);
    else if (const auto* number = std::get_if<double>(&value))
      dict.insert(name, *number);
    else if (const auto* text = std::get_if<std::string>(&value))
      dict.insert(name, *text);
    else
      dict.insert(name, to_dict(std::get<Archive>(value)));
  }
  return dict;
}

Archive from_dict(const c10::impl::GenericDict& dict) {
  Archive archive;
  for (const auto& entry : dict) {
    const std::string name = entry.key().toStringRef();
    const c10::IValue& value = entry.value();
    if (value.isTensor())
      archive.put(name, value.toTensor());
    else if (value.isInt())
      archive.put(name, value.toInt());
    else if (value.isDouble())
      archive.put(name, value.toDouble());
    else if (value.isString())
      archive.put(name, value.toStringRef());
    else if (value.isGenericDict())
      archive.put(name, from_dict(value.toGenericDict()));
    else
      throw DataError(fmt::format("entry '{}' is of a kind that plumb does not write", name));
  }
  return archive;
}

template <class T>
const T& get(const std::map<std::string, Archive::Value>& values, const std::string& name,
             std::string_view kind) {
  const auto found = values.find(name);
  if (found == values.end()) throw DataError(fmt::format("the archive has no entry '{}'", name));
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) throw DataError(fmt::format("the archive's entry '{}' is not a {}", name, kind));
  return *value;
}

}  // namespace

void Archive::put(const std::string& name, Tensor value) { values_.insert_or_assign(name, std::move(value)); }
void Archive::put(const std::string& name, int64_t value) { values_.insert_or_assign(name, value); }
void Archive::put(const std::string& name, double value) { values_.insert_or_assign(name, value); }
void Archive::put(const std::string& name, std::string value) {
  values_.insert_or_assign(name, std::move(value));
}
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
  const std::vector<char> bytes = torch::pickle_save(to_dict(*this));
  write_file_atomically(file, {bytes.data(), bytes.size()}, flush);
}

Archive Archive::load(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  try {
    const c10::IValue value = torch::pickle_load({bytes.begin(), bytes.end()});
    if (!value.isGenericDict()) throw DataError("it does not hold a dict of named values");
    return from_dict(value.toGenericDict());
  } catch (const c10::Error& error) {
    throw DataError(
        fmt::format("{}: not a readable archive: {}", file.string(), error.what_without_backtrace()));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

}  // namespace plumb
