#include <algorithm>
#include <unordered_map>

#include "plumb/core/error.hpp"
#include "plumb/core/pickle.hpp"
#include "plumb/core/stored_zip.hpp"
#include "plumb/core/torch_file.hpp"
#include "plumb/core/torch_file_format.hpp"

namespace plumb {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMaxPickle = size_t{32} << 20;
constexpr int kMaxDepth = 64;
constexpr size_t kMaxDimensions = 64;
constexpr int64_t kMaxRepeated = int64_t{1} << 24;

constexpr std::string_view kOrderedDict = "collections OrderedDict",
                           kTensor = "torch._utils _rebuild_tensor_v2",
                           kParameter = "torch._utils _rebuild_parameter",
                           kParameterWithState = "torch._utils _rebuild_parameter_with_state",
                           kSize = "torch Size", kTypeTag = "torch.jit._pickle restore_type_tag";

std::string storage_global(const ElementTypeInfo& type) { return fmt::format("torch {}", type.storage); }

/// All that a pickle may name.
const std::vector<std::string>& known_globals() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const std::string_view name :
         {kOrderedDict, kTensor, kParameter, kParameterWithState, kSize, kTypeTag})
      list.emplace_back(name);
    for (const ElementTypeInfo& type : element_types) list.push_back(storage_global(type));
    return list;
  }();
  return names;
}

/// The entries of one saved archive, all of which lie in one folder.
class Entries {
 public:
  explicit Entries(const std::vector<ZipEntry>& entries) {
    const auto is_pickle = [](const ZipEntry& entry) { return entry.name.ends_with(kPickleEntry); };
    const auto pickle = std::ranges::find_if(entries, is_pickle);
    if (pickle == entries.end())
      throw DataError("a zip file, but not one of torch.save: there is no data.pkl in it");
    folder_ = pickle->name.substr(0, pickle->name.size() - kPickleEntry.size());
    for (const ZipEntry& entry : entries) {
      if (!entry.name.starts_with(folder_ + "/") ||
          fmt::format("/{}/", entry.name).find("/../") != std::string::npos)
        throw DataError(
            fmt::format("entry '{}' lies outside the folder '{}' of its archive", entry.name, folder_));
      entries_.emplace(entry.name.substr(folder_.size()), entry.data);
    }
    if (contains("/constants.pkl"))
      throw DataError(
          "a TorchScript module; save its weights instead: torch.save(module.state_dict(), file)");
    if (contains(kByteOrderEntry) && at(kByteOrderEntry) != kLittle)
      throw DataError("written on a machine with another order of bytes (not little-endian)");
  }

  bool contains(std::string_view name) const { return entries_.contains(std::string(name)); }
  std::string_view at(std::string_view name) const {
    const auto found = entries_.find(std::string(name));
    if (found == entries_.end()) throw DataError(fmt::format("there is no entry '{}{}'", folder_, name));
    return found->second;
  }

 private:
  std::string folder_;
  std::unordered_map<std::string, std::string_view> entries_;
};

/// Gives meaning to a pickle: what its calls make, and that everything fits.
class Meaning {
 public:
  Meaning(const Pickle& pickle, const Entries& entries, size_t budget)
      : pickle_(pickle), entries_(entries), budget_(budget) {}

  SavedDict dict() {
    Value value = value_of(pickle_.root);
    if (auto* dict = std::get_if<SavedDict>(&value)) return std::move(*dict);
    const auto* other = std::get_if<OtherValue>(&value);
    throw DataError(
        fmt::format("it holds {} and not a dict of named values", other ? other->kind : "a single value"));
  }

 private:
  using Value = SavedDict::Value;
  struct Call {
    std::string_view function;
    const std::vector<uint32_t>& arguments;
    const std::vector<uint32_t>& items;  // function, arguments, then keys and values
  };

  [[noreturn]] void fail(std::string_view reason) const {
    std::string path;
    for (const std::string_view name : path_)
      path += (path.empty() ? "" : ".") + std::string(name.substr(0, 100));
    throw DataError(fmt::format("its entry '{}': {}", path.substr(0, 1000), reason));
  }

  /// One value may stand in several places, and those in several: what is short in the file could be long
  /// without end.
  void spend(size_t amount) {
    if (amount > budget_) throw DataError("its values hold each other too many times");
    budget_ -= amount;
  }

  Call call_of(const PickleNode& node) const {
    return {pickle_[node.items[0]].text, pickle_[node.items[1]].items, node.items};
  }

  Value value_of(uint32_t index) {
    spend(1);
    const PickleNode& node = pickle_[index];
    switch (node.kind) {
      case Kind::none:
        return OtherValue{"None"};
      case Kind::boolean:
        return OtherValue{"True or False"};
      case Kind::integer:
        return node.integer;
      case Kind::number:
        return node.number;
      case Kind::text:
        spend(node.text.size());
        return std::string(node.text);
      case Kind::list:
        return OtherValue{"a list"};
      case Kind::tuple:
        return OtherValue{"a tuple"};
      case Kind::global:
        return OtherValue{"a class or function"};
      case Kind::persistent:
        return OtherValue{"a storage"};
      case Kind::dict:
        return dict_of(node.items, 0);
      case Kind::call:
        return result_of(call_of(node));
    }
    fail("a value of no kind");
  }

  Value result_of(const Call& call) {
    const auto is = [&](std::string_view function, size_t arguments) {
      return call.function == function && call.arguments.size() == arguments;
    };
    if (is(kOrderedDict, 0)) return dict_of(call.items, 2);
    if (call.items.size() > 2) fail("items are set in what is not a dict");
    if (is(kSize, 1)) return OtherValue{"a torch.Size"};
    if (is(kTensor, 6) || is(kTensor, 7)) return tensor_of(call.arguments);
    if (is(kTypeTag, 2)) return inner(call.arguments[0]);
    if (!is(kParameter, 3) && !is(kParameterWithState, 4))
      fail(fmt::format("{} is called in a way that torch.save does not", call.function));
    Value data = inner(call.arguments[0]);
    if (!std::holds_alternative<StoredTensor>(data)) fail("a parameter that is not made of a tensor");
    return data;
  }

  /// A value within another one; as often as a value is nested is this function.
  Value inner(uint32_t index) {
    if (depth_ == kMaxDepth)
      fail(fmt::format("values nest deeper than {} levels, or hold themselves", kMaxDepth));
    ++depth_;
    Value value = value_of(index);
    --depth_;
    return value;
  }

  Value dict_of(const std::vector<uint32_t>& items, size_t begin) {
    SavedDict dict;
    for (size_t i = begin; i + 1 < items.size(); i += 2) {
      const PickleNode& key = pickle_[items[i]];
      if (key.kind != Kind::text) return OtherValue{"a dict whose keys are not texts"};
      path_.push_back(key.text);
      spend(key.text.size());
      if (!dict.values.emplace(key.text, inner(items[i + 1])).second) fail("its name is there twice");
      path_.pop_back();
    }
    return dict;
  }

  int64_t not_negative(uint32_t index) const {
    const PickleNode& node = pickle_[index];
    if (node.kind != Kind::integer || node.integer < 0)
      fail("a size, stride or offset of the tensor is negative or no whole number");
    return node.integer;
  }
  std::vector<int64_t> extents(uint32_t index) const {
    const PickleNode& node = pickle_[index];
    if (node.kind != Kind::tuple || node.items.size() > kMaxDimensions)
      fail(fmt::format("the tensor's sizes or strides are not a tuple of at most {}", kMaxDimensions));
    std::vector<int64_t> values;
    for (const uint32_t item : node.items) values.push_back(not_negative(item));
    return values;
  }

  /// From _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata = None).
  StoredTensor tensor_of(const std::vector<uint32_t>& arguments) {
    if (arguments.size() == 7 && pickle_[arguments[6]].kind != Kind::none &&
        !pickle_[arguments[6]].items.empty())
      fail("a lazy conjugate or negative; save tensor.resolve_conj().resolve_neg()");
    StoredTensor tensor;
    read_storage(arguments[0], tensor);
    tensor.offset = not_negative(arguments[1]);
    tensor.sizes = extents(arguments[2]);
    tensor.strides = extents(arguments[3]);
    check_extent(tensor);
    return tensor;
  }

  /// From the persistent identifier ("storage", class, key, device, number of elements).
  void read_storage(uint32_t index, StoredTensor& tensor) {
    const PickleNode& node = pickle_[index];
    const PickleNode& identifier = pickle_[node.kind == Kind::persistent ? node.items[0] : index];
    const auto part = [&](size_t i) -> const PickleNode& { return pickle_[identifier.items[i]]; };
    if (node.kind != Kind::persistent || identifier.kind != Kind::tuple || identifier.items.size() != 5 ||
        part(0).kind != Kind::text || part(0).text != "storage" || part(1).kind != Kind::global ||
        part(2).kind != Kind::text || part(3).kind != Kind::text)
      fail("the tensor's storage is not named as torch.save does");
    const std::string_view storage_class = part(1).text, key = part(2).text;
    const auto is_its = [&](const ElementTypeInfo& info) { return storage_class == storage_global(info); };
    const auto type = std::ranges::find_if(element_types, is_its);
    if (type == element_types.end()) fail("the tensor's storage is of no class of storages");
    tensor.type = static_cast<ElementType>(type - element_types.begin());
    tensor.storage = entries_.at(fmt::format("{}{}", kDataFolder, key.substr(0, 100)));
    const int64_t count = not_negative(identifier.items[4]);
    const auto bytes = static_cast<int64_t>(tensor.storage.size());
    if (bytes % type->bytes != 0 || count != bytes / type->bytes)
      fail(fmt::format("the storage has {} bytes in the file, and should have {} elements of {}", bytes,
                       count, type->bytes));
    const auto [known, added] = types_.emplace(key, tensor.type);
    if (known->second != tensor.type) fail("the tensor's storage has elements of another type elsewhere");
    const auto is_no_truth_value = [](char byte) { return (byte & ~1) != 0; };
    if (added && tensor.type == ElementType::boolean &&
        std::ranges::any_of(tensor.storage, is_no_truth_value))
      fail("a truth value of the tensor is neither 0 nor 1");
  }

  /// A view lies in its storage, and has no more elements than that, except small ones.
  void check_extent(const StoredTensor& tensor) const {
    if (tensor.sizes.size() != tensor.strides.size())
      fail("the tensor has other numbers of sizes and strides");
    const int64_t stored = static_cast<int64_t>(tensor.storage.size()) / info_of(tensor.type).bytes;
    int64_t count = 1, last = tensor.offset;  // how many elements, and where the last one is
    bool overflow = false;
    for (size_t i = 0; i < tensor.sizes.size(); ++i) {
      const int64_t size = std::max<int64_t>(tensor.sizes[i], 1);
      int64_t reach = 0;
      overflow |= __builtin_mul_overflow(count, size, &count);
      overflow |= __builtin_mul_overflow(size - 1, tensor.strides[i], &reach);
      overflow |= __builtin_add_overflow(last, reach, &last);
    }
    if (overflow) fail("the tensor's sizes are beyond 64 bits");
    const bool empty = std::ranges::find(tensor.sizes, 0) != tensor.sizes.end();
    if (empty ? tensor.offset > stored : last >= stored)
      fail(fmt::format("the tensor reaches to element {} of a storage of {}", last, stored));
    if (!empty && count > std::max(stored, kMaxRepeated))
      fail(fmt::format("the tensor repeats the {} elements of its storage to {}", stored, count));
  }

  const Pickle& pickle_;
  const Entries& entries_;
  size_t budget_;
  int depth_ = 0;
  std::vector<std::string_view> path_;
  std::unordered_map<std::string_view, ElementType> types_;  // of the storages met so far
};

/// What other formats begin with, and what to do about it.
void refuse_other_formats(std::string_view file) {
  if (file.starts_with("PK")) return;
  const std::string_view after_length = file.substr(0, 9).substr(std::min<size_t>(file.size(), 8));
  if (file.starts_with(std::string_view("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14)))
    throw DataError(
        "in the format of torch.save before version 1.6; convert it in Python: torch.save(torch.load(file), "
        "file)");
  if (after_length == "{")
    throw DataError("a safetensors file; in Python: torch.save(safetensors.torch.load_file(file), new_file)");
  if (file.starts_with("\x89HDF")) throw DataError("an HDF5 file and not one of torch.save");
  throw DataError("not a file of torch.save: it does not begin as a zip file");
}

}  // namespace

SavedDict read_torch_file(std::string_view file) {
  refuse_other_formats(file);
  const std::vector<ZipEntry> zip = read_stored_zip(file);
  const Entries entries(zip);
  if (entries.contains(kWriterEntry) && !is_as_written(file, zip))
    throw DataError("damaged: a header of the zip file is not as it was written");
  const std::string_view bytes = entries.at(kPickleEntry);
  if (bytes.size() > kMaxPickle)
    throw DataError(fmt::format("its data.pkl has more than {} bytes", kMaxPickle));
  const Pickle pickle = read_pickle(bytes, known_globals());
  return Meaning(pickle, entries, 8 * bytes.size() + 1000).dict();
}

}  // namespace plumb
