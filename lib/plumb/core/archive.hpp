/// Named tensors, numbers and texts, nested, in a .pt file that Python's torch.load reads as a dict.
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
  using Value = std::variant<Tensor, int64_t, double, std::string, Archive>;

  void put(const std::string& name, Tensor value);
  void put(const std::string& name, int64_t value);
  void put(const std::string& name, double value);
  void put(const std::string& name, std::string value);
  void put(const std::string& name, Archive value);

  bool contains(const std::string& name) const { return values_.contains(name); }
  const std::map<std::string, Value>& values() const { return values_; }

  /// Each throws DataError when the name is absent or holds something else.
  Tensor tensor(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  const Archive& archive(const std::string& name) const;

  /// Writes atomically (see write_file_atomically). Tensors are stored on the CPU.
  void save(const std::filesystem::path& file, Flush flush = Flush::now) const;
  /// Throws DataError when the file is missing, damaged or not such an archive. Tensors arrive on the CPU.
  static Archive load(const std::filesystem::path& file);

 private:
  std::map<std::string, Value> values_;
};

}  // namespace plumb
