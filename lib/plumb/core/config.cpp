#include "plumb/core/config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/core/text.hpp"

namespace plumb {
namespace {

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

/// The one of `known` that begins with `word`; nothing when there are several, or the word is short.
std::string_view only_completion(std::string_view word, const std::vector<std::string>& known) {
  std::string_view found;
  if (word.size() < 3) return found;
  for (const std::string& candidate : known) {
    if (!candidate.starts_with(word)) continue;
    if (!found.empty()) return {};
    found = candidate;
  }
  return found;
}

constexpr size_t longest_word = 100;  // nothing longer is a slip of the pen

}  // namespace

std::string at_place(const Place& place, std::string_view path, std::string_view problem) {
  std::string where = place.source;
  if (place.line > 0) where += fmt::format(":{}:{}", place.line, place.column);
  if (!path.empty()) where += fmt::format(": {}", path);
  return fmt::format("{}: {}", where, problem);
}

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

void Config::set_from(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw ConfigError(fmt::format("command line: '{}': an override reads key.path=value", assignment));
  set(assignment.substr(0, equals), parse(assignment.substr(equals + 1), "command line: " + assignment));
}

void Config::erase(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

std::string Config::to_line() const {
  std::string line;
  append_line(line, *this, true);
  return line;
}

void Config::fail(std::string_view problem) const { throw ConfigError(at_place(place, path, problem)); }

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  std::string_view nearest;
  for (const std::string& candidate : known)
    if (word.size() > 1 && initials(candidate) == word) nearest = candidate;
  if (nearest.empty()) nearest = only_completion(word, known);
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  if (nearest.empty() && word.size() <= longest_word)
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
