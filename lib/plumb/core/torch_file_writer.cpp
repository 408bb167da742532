#include <bit>
#include <limits>

#include "plumb/core/bytes.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/stored_zip.hpp"
#include "plumb/core/torch_file.hpp"
#include "plumb/core/torch_file_format.hpp"

namespace plumb {
namespace {

/// Writes the pickle, instruction by instruction (see pickle.cpp for their names), and collects the storages.
class PickleWriter {
 public:
  std::string write(const SavedDict& dict) {
    pickle_ = "\x80\x02";
    write_dict(dict);
    return std::move(pickle_) + '.';
  }
  const std::vector<std::string_view>& storages() const { return storages_; }

 private:
  void write_dict(const SavedDict& dict) {
    pickle_ += "}(";
    for (const auto& [name, value] : dict.values) {
      write_text(name);
      if (const auto* tensor = std::get_if<StoredTensor>(&value))
        write_tensor(*tensor);
      else if (const auto* integer = std::get_if<int64_t>(&value))
        write_integer(*integer);
      else if (const auto* number = std::get_if<double>(&value))
        write_number(*number);
      else if (const auto* text = std::get_if<std::string>(&value))
        write_text(*text);
      else if (const auto* inner = std::get_if<SavedDict>(&value))
        write_dict(*inner);
      else
        throw ContractError(
            fmt::format("entry '{}' is {}, which is not written", name, std::get<OtherValue>(value).kind));
    }
    pickle_ += 'u';
  }

  void write_text(std::string_view text) {
    expects(text.size() <= std::numeric_limits<uint32_t>::max(), "a text of {} bytes is not written",
            text.size());
    pickle_ += 'X';
    append_little_endian(pickle_, static_cast<uint32_t>(text.size()));
    pickle_ += text;
  }
  void write_integer(int64_t value) {
    if (value == static_cast<int32_t>(value)) {
      pickle_ += 'J';
      append_little_endian(pickle_, static_cast<uint32_t>(value));
    } else {
      pickle_ += "\x8a\x08";
      append_little_endian(pickle_, static_cast<uint64_t>(value));
    }
  }
  void write_number(double value) {
    const auto bits = std::bit_cast<uint64_t>(value);
    pickle_ += 'G';
    for (int shift = 56; shift >= 0; shift -= 8) pickle_ += static_cast<char>((bits >> shift) & 0xff);
  }
  void write_tuple(const std::vector<int64_t>& values) {
    pickle_ += '(';
    for (const int64_t value : values) write_integer(value);
    pickle_ += 't';
  }
  void write_tensor(const StoredTensor& tensor) {
    const ElementTypeInfo& type = info_of(tensor.type);
    pickle_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    write_text("storage");
    pickle_ += fmt::format("ctorch\n{}\n", type.storage);
    write_text(std::to_string(storages_.size()));
    write_text("cpu");
    write_integer(static_cast<int64_t>(tensor.storage.size()) / type.bytes);
    pickle_ += "tQ";
    write_integer(tensor.offset);
    write_tuple(tensor.sizes);
    write_tuple(tensor.strides);
    // requires_grad = False, backward_hooks = OrderedDict()
    pickle_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR";
    storages_.push_back(tensor.storage);
  }

  std::string pickle_;
  std::vector<std::string_view> storages_;
};

}  // namespace

std::string write_torch_file(const SavedDict& dict) {
  static_assert(std::endian::native == std::endian::little);
  PickleWriter writer;
  const std::string pickle = writer.write(dict);
  // The order of torch.save. Its readers know the folder by any name; "archive" is what LibTorch says.
  const auto entry = [](std::string_view name, std::string_view data) {
    return make_zip_entry(fmt::format("archive{}", name), data);
  };
  std::vector<ZipEntry> entries{entry(kPickleEntry, pickle), entry(kByteOrderEntry, kLittle)};
  for (size_t i = 0; i < writer.storages().size(); ++i)
    entries.push_back(entry(fmt::format("{}{}", kDataFolder, i), writer.storages()[i]));
  entries.push_back(entry(kVersionEntry, "3\n"));
  entries.push_back(entry(kWriterEntry, "1\n"));
  return write_stored_zip(entries);
}

}  // namespace plumb
