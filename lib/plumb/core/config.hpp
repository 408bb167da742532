/// A description as a tree of values that remember where they were written; read from YAML, strictly.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// Where a value was written; line and column count from 1, and 0 means the whole source.
struct Place {
  std::string source;
  int line = 0;
  int column = 0;
};

/// A scalar, a list or a mapping. A value: copy it, change it, compare its YAML.
///
/// The reader refuses what makes descriptions ambiguous: duplicate keys, anchors, aliases, merge keys,
/// explicit tags, several documents and keys that are not plain scalars.
struct Config {
  enum class Kind { null, scalar, sequence, mapping };
  struct Entry;

  Kind kind = Kind::null;
  std::string text;            // of a scalar, as written
  bool quoted = false;         // a quoted scalar is a string, whatever it looks like
  std::vector<Config> items;   // of a sequence
  std::vector<Entry> entries;  // of a mapping, in the order written
  Place place;
  std::string path;  // "model.width", "sweep.seed[2]"; empty at the root

  /// Reads YAML. Throws ConfigError "source:line:column: problem".
  static Config parse(std::string_view yaml, std::string source = "<text>");
  /// Reads a file. Throws DataError when it cannot be read, ConfigError when it is not acceptable YAML.
  static Config load(const std::filesystem::path& file);

  static Config scalar(std::string text);
  static Config empty_mapping();

  bool is_null() const { return kind == Kind::null; }
  bool is_mapping() const { return kind == Kind::mapping; }

  /// The value under `key` of a mapping, or null pointer.
  const Config* find(std::string_view key) const;
  Config* find(std::string_view key);
  /// Appends `key: value` to a mapping, without looking whether the key is there.
  void add(std::string key, Config value);

  /// Puts `value` at a dotted path, making mappings on the way ("training.optimizer.learning_rate").
  /// A scalar on the way is read as a component's type: setting "model.width" in `model: mlp` gives
  /// `model: {type: mlp, width: ...}`. Throws ConfigError when a list stands in the way or the path is
  /// malformed.
  void set(std::string_view dotted_path, Config value);
  /// The same from a word of the command line, "dotted.path=value" with the value in YAML.
  void set_from(const std::string& text);
  /// Removes `key` of a mapping; nothing happens when it is absent.
  void erase(std::string_view key);

  /// Block-style YAML that parse() reads back to the same values.
  std::string to_yaml() const;
  /// One line: flow style without outer braces, for legends and file names.
  std::string to_line() const;

  /// Throws ConfigError "source:line:column: path: problem".
  [[noreturn]] void fail(std::string_view problem) const;
};

struct Config::Entry {
  std::string key;
  Place key_place;
  Config value;
};

/// "source:line:column: path: problem", without what is not known.
std::string at_place(const Place& place, std::string_view path, std::string_view problem);

/// "; did you mean 'width'?" when one of `known` is close to `word` in edit distance, else "; known: a, b,
/// c".
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace plumb
