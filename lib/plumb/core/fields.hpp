/// The visitor through which an options struct lists its fields once: one list gives reading, checking,
/// defaults, help and the resolved description.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plumb/core/byte_size.hpp"
#include "plumb/core/config.hpp"

namespace plumb {

class Fields;

/// An options struct: default-constructible, copyable, and it lists its fields.
template <class T>
concept Options = std::copyable<T> && requires(T options, Fields& fields) {
  options.fields(fields);
};

/// The numbers a field accepts.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_excluded = false;
  std::string_view says = "must be a finite number";

  bool contains(double value) const;  // never for NaN or infinity
};

inline constexpr Range any_number{};
inline constexpr Range positive{.low = 0, .low_excluded = true, .says = "must be positive"};
inline constexpr Range non_negative{.low = 0, .says = "must not be negative"};
inline constexpr Range fraction{.low = 0, .high = 1, .says = "must lie between 0 and 1"};

/// A component chosen by name together with its options; see registry.hpp for the typed one.
class AnyChoice {
 public:
  virtual ~AnyChoice() = default;
  virtual const std::string& type() const = 0;
  virtual std::vector<std::string> types() const = 0;
  /// Takes the named component with its default options; expects one of types().
  virtual void select(const std::string& type) = 0;
  /// Lists the fields of the chosen component's options.
  virtual void fields(Fields& fields) = 0;
};

/// A list of components of one kind; see registry.hpp for the typed one.
class AnyChoices {
 public:
  virtual ~AnyChoices() = default;
  virtual std::vector<std::string> types() const = 0;
  virtual size_t size() const = 0;
  /// Expects index < size().
  virtual AnyChoice& at(size_t index) = 0;
  virtual void clear() = 0;
  /// Adds an entry in which nothing is chosen yet.
  virtual AnyChoice& append() = 0;
};

/// One of the words that a field allows, or a list of whole numbers.
using WordOrNumbers = std::variant<std::string, std::vector<int64_t>>;

class Fields {
 public:
  using Pointer =
      std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*, std::vector<std::string>*,
                   std::optional<int64_t>*, std::optional<double>*, std::optional<ByteSize>*, WordOrNumbers*>;
  struct Field {
    std::string_view key;
    Pointer value;
    std::string_view help;
    Range range = any_number;               // of numbers
    std::vector<std::string> choices = {};  // of strings; empty: any
  };

  virtual ~Fields() = default;

  virtual void visit(const Field& field) = 0;
  /// A component: `key: name` or `key: {type: name, ...}`.
  virtual void component(std::string_view key, AnyChoice& choice, std::string_view help) = 0;
  /// A list of components: `key: [name, {type: name, ...}, ...]`.
  virtual void components(std::string_view key, AnyChoices& choices, std::string_view help) = 0;

  void field(std::string_view key, bool& value, std::string_view help) { visit({key, &value, help}); }
  template <class T>
  void field(std::string_view key, T& value, std::string_view help, const Range& range = any_number) {
    visit({key, &value, help, range});
  }
  void field(std::string_view key, std::string& value, std::string_view help,
             std::vector<std::string> choices) {
    visit({key, &value, help, any_number, std::move(choices)});
  }
  /// `words`: what the word may be; `range`: what the numbers may be.
  void field(std::string_view key, WordOrNumbers& value, std::string_view help,
             std::vector<std::string> words, const Range& range) {
    visit({key, &value, help, range, std::move(words)});
  }
  /// An enumeration, written as one of `names`, in the order of its enumerators (which count from 0).
  template <class E>
  requires std::is_enum_v<E>
  void field(std::string_view key, E& value, std::string_view help, const std::vector<std::string>& names) {
    std::string name = names.at(static_cast<size_t>(value));
    visit({key, &name, help, any_number, names});
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) value = static_cast<E>(i);
  }
  /// A nested group of fields: `key: {...}`.
  template <Options T>
  void section(std::string_view key, T& options, std::string_view help) {
    if (!enter(key, help)) return;
    options.fields(*this);
    leave();
  }

 protected:
  /// Goes into the group `key`; false when there is nothing to do in it.
  virtual bool enter(std::string_view key, std::string_view help) = 0;
  virtual void leave() = 0;
};

/// Reads `config` into `options`; what is not given keeps its value.
/// Throws ConfigError for unknown keys, wrong types, values out of range.
class FieldReader final : public Fields {
 public:
  explicit FieldReader(const Config& config);

  void visit(const Field& field) override;
  void component(std::string_view key, AnyChoice& choice, std::string_view help) override;
  void components(std::string_view key, AnyChoices& choices, std::string_view help) override;
  /// Throws ConfigError for the first key that no field asked for.
  void finish();

 protected:
  bool enter(std::string_view key, std::string_view help) override;
  void leave() override;

 private:
  struct Level {
    const Config* config;
    std::vector<std::string> known;
  };
  const Config* take(std::string_view key);
  void read_choice(const Config& config, AnyChoice& choice);
  void push(const Config& config);
  void pop();

  std::vector<Level> levels_;
};

/// Writes every field with its present value.
class FieldWriter final : public Fields {
 public:
  FieldWriter();

  void visit(const Field& field) override;
  void component(std::string_view key, AnyChoice& choice, std::string_view help) override;
  void components(std::string_view key, AnyChoices& choices, std::string_view help) override;
  Config take() { return std::move(levels_.front()); }

 protected:
  bool enter(std::string_view key, std::string_view help) override;
  void leave() override;

 private:
  Config write_choice(AnyChoice& choice);

  std::vector<Config> levels_;
  std::vector<std::string> keys_;
};

/// One line of help per field: key, default, what it is, what is allowed.
class FieldHelp final : public Fields {
 public:
  struct Line {
    std::string key;  // dotted
    std::string value;
    std::string help;
    std::string allowed;
  };

  void visit(const Field& field) override;
  void component(std::string_view key, AnyChoice& choice, std::string_view help) override;
  void components(std::string_view key, AnyChoices& choices, std::string_view help) override;
  std::vector<Line> lines;

 protected:
  bool enter(std::string_view key, std::string_view help) override;
  void leave() override;

 private:
  std::string dotted(std::string_view key) const;
  std::vector<std::string> prefix_;
};

/// The options that `config` describes, starting from `defaults`.
template <Options T>
T read_options(const Config& config, T defaults = {}) {
  FieldReader reader(config);
  defaults.fields(reader);
  reader.finish();
  return defaults;
}

/// The complete description of `options`, every default written out.
template <Options T>
Config write_options(T options) {
  FieldWriter writer;
  options.fields(writer);
  return writer.take();
}

}  // namespace plumb
