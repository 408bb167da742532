// Config from YAML and to YAML: the only file that includes yaml-cpp.
#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "plumb/core/config.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/text.hpp"

namespace plumb {
namespace {

constexpr size_t deepest_yaml = 64;

/// Builds the tree from the parser's events; yaml-cpp's own Node would expand aliases without limit, keep the
/// first of two equal keys and forget where keys stand.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string source) : source_(std::move(source)) { root_.place.source = source_; }

  Config take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(at(mark, Config::Kind::null));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    const bool quoted = tag == "!";
    if (!quoted && tag != "?" && !tag.empty()) refuse(mark, "tags are not supported");
    const bool is_null =
        !quoted && (value.empty() || value == "~" || value == "null" || value == "Null" || value == "NULL");
    Config scalar = at(mark, is_null ? Config::Kind::null : Config::Kind::scalar);
    scalar.text = value;
    scalar.quoted = quoted;
    add(std::move(scalar));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Config::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Config::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Config value;
    bool awaiting_value = false;                      // of a mapping: a key has been read, its value has not
    std::unordered_map<std::string, int> lines = {};  // of a mapping: where each key stands
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view problem) const {
    throw ConfigError(at_place({source_, mark.line + 1, mark.column + 1}, "", problem));
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) refuse(mark, "anchors are not supported; write the value out");
  }

  Config at(const YAML::Mark& mark, Config::Kind kind) const {
    Config value;
    value.kind = kind;
    value.place = {source_, mark.line + 1, mark.column + 1};
    return value;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Config::Kind kind) {
    refuse_anchor(mark, anchor);
    if (open_.size() == deepest_yaml)
      refuse(mark, fmt::format("lists and mappings are more than {} deep", deepest_yaml));
    if (tag != "?" && !tag.empty()) refuse(mark, "tags are not supported");
    if (!open_.empty() && open_.back().value.is_mapping() && !open_.back().awaiting_value)
      refuse(mark, "a key must be a plain word");
    Config value = at(mark, kind);
    value.path = next_path();
    open_.push_back({std::move(value)});
  }

  void close() {
    Config value = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(value));
  }

  std::string next_path() const {
    if (open_.empty()) return "";
    const Config& parent = open_.back().value;
    if (parent.kind == Config::Kind::sequence) return fmt::format("{}[{}]", parent.path, parent.items.size());
    return parent.entries.empty() ? parent.path : join(parent.path, parent.entries.back().key);
  }

  static std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  void add(Config value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.kind == Config::Kind::sequence) {
      value.path = next_path();
      parent.value.items.push_back(std::move(value));
    } else if (parent.awaiting_value) {
      value.path = next_path();
      parent.value.entries.back().value = std::move(value);
      parent.awaiting_value = false;
    } else {
      add_key(parent, value);
    }
  }

  void add_key(Open& parent, const Config& key) {
    const std::string path = join(parent.value.path, key.text);
    if (key.kind != Config::Kind::scalar || key.text == "<<")
      throw ConfigError(at_place(key.place, path, "a key must be a plain word"));
    const auto [first, added] = parent.lines.emplace(key.text, key.place.line);
    if (!added)
      throw ConfigError(
          at_place(key.place, path, fmt::format("duplicate key; first given at line {}", first->second)));
    Config awaited;
    awaited.place = key.place;
    parent.value.add(key.text, std::move(awaited));
    parent.awaiting_value = true;
  }

  std::string source_;
  Config root_;
  std::vector<Open> open_;
};

/// Throws ConfigError unless `text` is UTF-8 without zero bytes.
void check_text(std::string_view text, const std::string& source) {
  if (text.find('\0') != std::string_view::npos)
    throw ConfigError(at_place({source}, "", "not a text file: it contains a zero byte"));
  Place place{source, 1, 1};
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0)
      throw ConfigError(
          at_place(place, "", fmt::format("byte {:#04x} is not UTF-8 text", static_cast<uint8_t>(text[i]))));
    ++place.column;
    if (text[i] == '\n') place = {source, place.line + 1, 1};
    i += length;
  }
}

bool plain_characters(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '+' || c == '/';
  });
}

/// Whether text stays the same value when it is written without quotes.
bool plain_is_safe(const std::string& text) {
  const auto means = [&](std::string_view word) {
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  };
  return plain_characters(text) && !means("null") && !means("true") && !means("false");
}

/// yaml-cpp would write carriage returns and some other characters plain and then not read them back.
void emit_word(YAML::Emitter& out, const std::string& text, bool quoted) {
  if (quoted) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const Config& value) {
  switch (value.kind) {
    case Config::Kind::null:
      out << YAML::_Null{};
      break;
    case Config::Kind::scalar: {
      // A quoted word that looks like a number or a truth value must stay quoted to stay a string.
      const bool looks_otherwise =
          !plain_is_safe(value.text) || std::isalpha(static_cast<unsigned char>(value.text[0])) == 0;
      emit_word(out, value.text, value.quoted ? looks_otherwise : !plain_characters(value.text));
      break;
    }
    case Config::Kind::sequence:
      // A list of components has a line for each of their options.
      if (value.items.empty() || !std::all_of(value.items.begin(), value.items.end(),
                                              [](const Config& item) { return item.is_mapping(); }))
        out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Config& item : value.items) emit(out, item);
      out << YAML::EndSeq;
      break;
    case Config::Kind::mapping:
      out << YAML::BeginMap;
      for (const Config::Entry& entry : value.entries) {
        out << YAML::Key;
        emit_word(out, entry.key, !plain_characters(entry.key));
        out << YAML::Value;
        emit(out, entry.value);
      }
      out << YAML::EndMap;
      break;
  }
}

/// The first tab that indents a line, up to line `last`: what yaml-cpp says of it helps nobody.
std::optional<Place> indenting_tab(std::string_view yaml, const std::string& source, int last) {
  for (int line = 1; line <= last && !yaml.empty(); ++line) {
    const std::string_view text = yaml.substr(0, yaml.find('\n'));
    const size_t content = text.find_first_not_of(" \t\r");
    const size_t tab = text.find('\t');
    if (tab != std::string_view::npos && tab < content) return Place{source, line, static_cast<int>(tab) + 1};
    yaml.remove_prefix(std::min(yaml.size(), text.size() + 1));
  }
  return std::nullopt;
}

constexpr size_t largest_yaml = size_t{16} << 20;

}  // namespace

Config Config::parse(std::string_view yaml, std::string source) {
  if (yaml.size() > largest_yaml)
    throw ConfigError(at_place(
        {source}, "",
        fmt::format("holds {} bytes; a description may have {} (16 MiB)", yaml.size(), largest_yaml)));
  check_text(yaml, source);
  std::istringstream stream{std::string(yaml)};
  TreeBuilder builder(source);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder rest(source);
    if (parser.HandleNextDocument(rest) && !rest.take().is_null())
      throw ConfigError(at_place({source}, "", "holds several YAML documents; one is expected"));
  } catch (const YAML::Exception& error) {
    if (const auto tab = indenting_tab(yaml, source, error.mark.line + 1))
      throw ConfigError(at_place(*tab, "", "a tab; lines are indented by spaces in YAML, never by tabs"));
    throw ConfigError(at_place({source, error.mark.line + 1, error.mark.column + 1}, "", error.msg));
  }
  return builder.take();
}

Config Config::load(const std::filesystem::path& file) { return parse(read_file(file), file.string()); }

std::string Config::to_yaml() const {
  YAML::Emitter out;
  emit(out, *this);
  return std::string(out.c_str()) + "\n";
}

}  // namespace plumb
