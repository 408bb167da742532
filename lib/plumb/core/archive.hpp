/// Named tensors, numbers and texts, nested, in a .pt file that Python's torch.load reads as a dict. What
/// torch.save makes of a state_dict is read as well; torch_file.hpp says what is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>

#include "plumb/core/files.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

class Archive {
 public:
  /// What a file of somebody else's may hold beside these, in words: "a list", "None". Not written.
  struct Other {
    std::string kind;
  };
  using Value = std::variant<Tensor, int64_t, double, std::string, Archive, Other>;

  void put(const std::string& name, Tensor value);
  void put(const std::string& name, int64_t value);
  void put(const std::string& name, double value);
  void put(const std::string& name, std::string value);
  void put(const std::string& name, Archive value);
  void put(const std::string& name, Other value);

  bool contains(const std::string& name) const { return values_.contains(name); }
  const std::map<std::string, Value>& values() const { return values_; }

  /// Each throws DataError when the name is absent or holds something else.
  Tensor tensor(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  const Archive& archive(const std::string& name) const;

  /// Writes atomically (see write_file_atomically), with a CRC-32 of every value; the same bytes for the same
  /// content. Tensors are stored on the CPU, dense and in torch's own types of elements; expects no other
  /// ones.
  void save(const std::filesystem::path& file, Flush flush = Flush::now) const;
  /// Throws DataError when the file is missing, not such an archive or damaged: every flipped bit of a file
  /// that save() wrote is noticed. Tensors arrive on the CPU; those that shared memory when they were saved
  /// still do.
  static Archive load(const std::filesystem::path& file);

 private:
  std::map<std::string, Value> values_;
};

}  // namespace plumb
