#include "plumb/core/config.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

namespace plumb {
namespace {

std::string placed(const Place& place, std::string_view path, std::string_view problem) {
  std::string where = place.source;
  if (place.line > 0) where += fmt::format(":{}:{}", place.line, place.column);
  if (!path.empty()) where += fmt::format(": {}", path);
  return fmt::format("{}: {}", where, problem);
}

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
    const bool is_null = !quoted && (value.empty() || value == "~" || value == "null");
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
    bool awaiting_value = false;  // of a mapping: a key has been read, its value has not
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view problem) const {
    throw ConfigError(placed({source_, mark.line + 1, mark.column + 1}, "", problem));
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

  void add_key(Open& parent, const Config& key) const {
    const std::string path = join(parent.value.path, key.text);
    if (key.kind != Config::Kind::scalar || key.text == "<<")
      throw ConfigError(placed(key.place, path, "a key must be a plain word"));
    for (const Config::Entry& entry : parent.value.entries)
      if (entry.key == key.text)
        throw ConfigError(placed(key.place, path,
                                 fmt::format("duplicate key; first given at line {}", entry.key_place.line)));
    Config awaited;
    awaited.place = key.place;
    parent.value.add(key.text, std::move(awaited));
    parent.awaiting_value = true;
  }

  std::string source_;
  Config root_;
  std::vector<Open> open_;
};

/// The length of the UTF-8 character at the front of `text`; 0 when there is none, or one that yaml-cpp would
/// not write again (a noncharacter).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  uint32_t code = first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool noncharacter = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
  return code < kLeast[length] || code > 0x10ffff || surrogate || noncharacter ? 0 : length;
}

/// Throws ConfigError unless `text` is UTF-8 without zero bytes.
void check_text(std::string_view text, const std::string& source) {
  if (text.find('\0') != std::string_view::npos)
    throw ConfigError(placed({source}, "", "not a text file: it contains a zero byte"));
  Place place{source, 1, 1};
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    if (length == 0)
      throw ConfigError(
          placed(place, "", fmt::format("byte {:#04x} is not UTF-8 text", static_cast<uint8_t>(text[i]))));
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

bool plain_is_safe(const std::string& text) {
  return plain_characters(text) && text != "null" && text != "true" && text != "false";
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
      out << YAML::Flow << YAML::BeginSeq;
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

void append_line(std::string& line, const Config& value, bool outermost) {
  switch (value.kind) {
    case Config::Kind::null:
      line += "none";
      break;
    case Config::Kind::scalar:
      line += value.text;
      break;
    case Config::Kind::sequence:
      line += "[";
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) line += ", ";
        append_line(line, value.items[i], false);
      }
      line += "]";
      break;
    case Config::Kind::mapping:
      if (!outermost) line += "{";
      for (size_t i = 0; i < value.entries.size(); ++i) {
        if (i > 0) line += ", ";
        line += value.entries[i].key + ": ";
        append_line(line, value.entries[i].value, false);
      }
      if (!outermost) line += "}";
      break;
  }
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

Config Config::parse(std::string_view yaml, std::string source) {
  check_text(yaml, source);
  std::istringstream stream{std::string(yaml)};
  TreeBuilder builder(source);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder rest(source);
    if (parser.HandleNextDocument(rest) && !rest.take().is_null())
      throw ConfigError(placed({source}, "", "holds several YAML documents; one is expected"));
  } catch (const YAML::Exception& error) {
    throw ConfigError(placed({source, error.mark.line + 1, error.mark.column + 1}, "", error.msg));
  }
  return builder.take();
}

Config Config::load(const std::filesystem::path& file) { return parse(read_file(file), file.string()); }

Config Config::scalar(std::string text) {
  Config value;
  value.kind = Kind::scalar;
  value.text = std::move(text);
  return value;
}

Config Config::empty_mapping() {
  Config value;
  value.kind = Kind::mapping;
  return value;
}

void Config::add(std::string key, Config value) {
  Entry& entry = entries.emplace_back();
  entry.key = std::move(key);
  entry.key_place = value.place;
  entry.value = std::move(value);
}

const Config* Config::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

Config* Config::find(std::string_view key) {
  return const_cast<Config*>(static_cast<const Config*>(this)->find(key));
}

void Config::set(std::string_view dotted_path, Config value) {
  const size_t dot = dotted_path.find('.');
  const std::string key(dotted_path.substr(0, dot));
  if (key.empty()) value.fail(fmt::format("malformed key path '{}'", dotted_path));
  if (kind == Kind::sequence) value.fail(fmt::format("cannot set '{}' inside the list {}", key, path));
  if (kind == Kind::scalar) {
    Config type = *this;
    type.path = path + ".type";
    add("type", std::move(type));
  }
  kind = Kind::mapping;
  text.clear();
  Config* child = find(key);
  if (child == nullptr) {
    Config made;
    made.place = value.place;
    made.path = path.empty() ? key : path + "." + key;
    add(key, std::move(made));
    child = &entries.back().value;
  }
  if (dot == std::string_view::npos) {
    value.path = child->path;
    *child = std::move(value);
  } else {
    child->set(dotted_path.substr(dot + 1), std::move(value));
  }
}

void Config::erase(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

std::string Config::to_yaml() const {
  YAML::Emitter out;
  emit(out, *this);
  return std::string(out.c_str()) + "\n";
}

std::string Config::to_line() const {
  std::string line;
  append_line(line, *this, true);
  return line;
}

void Config::fail(std::string_view problem) const { throw ConfigError(placed(place, path, problem)); }

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  std::string_view nearest;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) return fmt::format("; did you mean '{}'?", nearest);
  return known.empty() ? "" : fmt::format("; known: {}", fmt::join(known, ", "));
}

}  // namespace plumb
