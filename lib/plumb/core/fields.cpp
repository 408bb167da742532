#include "plumb/core/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/core/text.hpp"

namespace plumb {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang before 17 does not deduce aggregates

[[noreturn]] void wrong_type(const Config& config, std::string_view expected) {
  config.fail(fmt::format("{} is not {}",
                          config.kind == Config::Kind::scalar     ? "'" + config.text + "'"
                          : config.kind == Config::Kind::sequence ? "a list"
                          : config.kind == Config::Kind::mapping  ? "a mapping"
                                                                  : "nothing",
                          expected));
}

/// Out of the range of a double: towards infinity or towards 0.
bool too_small(const std::string& text) { return std::abs(std::strtod(text.c_str(), nullptr)) < 1; }

template <class Number>
Number parse_number(const Config& config, std::string_view expected) {
  Number number{};
  std::string_view text = config.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  if (config.kind != Config::Kind::scalar || text.starts_with('+')) wrong_type(config, expected);
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool is_number = error != std::errc::invalid_argument && stop == end;
  if (config.quoted && is_number)
    config.fail(
        fmt::format("'{0}' is a text, as it is quoted; {1} is expected: write {0}", config.text, expected));
  if (config.quoted || !is_number) wrong_type(config, expected);
  if (error == std::errc::result_out_of_range)
    config.fail(fmt::format("{} is too {} to hold", config.text,
                            !std::is_integral_v<Number> && too_small(config.text) ? "small" : "large"));
  return number;
}

template <class Number>
Number read_number(const Config& config, const Range& range) {
  const Number number =
      parse_number<Number>(config, std::is_integral_v<Number> ? "a whole number" : "a number");
  if (!range.contains(static_cast<double>(number)))
    config.fail(fmt::format("{} {}", config.text, range.says));
  return number;
}

/// The words of YAML 1.2's core schema.
bool read_truth(const Config& config) {
  const bool plain = config.kind == Config::Kind::scalar && !config.quoted;
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return config.kind == Config::Kind::scalar &&
           std::find(words.begin(), words.end(), config.text) != words.end();
  };
  if (plain && is_one_of({"true", "True", "TRUE"})) return true;
  if (plain && is_one_of({"false", "False", "FALSE"})) return false;
  const bool yes = is_one_of({"yes", "Yes", "on", "On", "1", "true", "True"});
  if (yes || is_one_of({"no", "No", "off", "Off", "0", "false", "False"}))
    config.fail(fmt::format("'{}' is not true or false; write {}", config.text, yes ? "true" : "false"));
  wrong_type(config, "true or false");
}

bool is_none(const Config& config) {
  return config.is_null() || (config.kind == Config::Kind::scalar && !config.quoted && config.text == "none");
}

std::string read_word(const Config& config, const std::vector<std::string>& choices) {
  if (config.kind != Config::Kind::scalar) wrong_type(config, "a word");
  if (!choices.empty() && std::find(choices.begin(), choices.end(), config.text) == choices.end()) {
    std::string allowed = suggestion(config.text, choices);
    if (allowed.find("did you mean") != std::string::npos)
      allowed += fmt::format(" (allowed: {})", fmt::join(choices, ", "));
    config.fail(fmt::format("'{}' is not allowed{}", config.text, allowed));
  }
  return config.text;
}

ByteSize read_byte_size(const Config& config) {
  const auto size = parse_byte_size(read_word(config, {}));
  if (!size) config.fail(fmt::format("'{}' is no size of memory; write 512MiB or 4GiB", config.text));
  return *size;
}

const Config& expect_list(const Config& config) {
  if (config.kind != Config::Kind::sequence) wrong_type(config, "a list");
  return config;
}

std::vector<int64_t> read_numbers(const Config& config, const Range& range) {
  std::vector<int64_t> numbers;
  for (const Config& item : expect_list(config).items) numbers.push_back(read_number<int64_t>(item, range));
  return numbers;
}

std::string number_text(double value) {
  // The shortest text that reads back to the same number.
  return fmt::format("{}", value);
}

Config string_config(const std::string& text) {
  Config value = Config::scalar(text);
  value.quoted = true;
  return value;
}

Config number_list(const std::vector<int64_t>& numbers) {
  Config list;
  list.kind = Config::Kind::sequence;
  for (const int64_t number : numbers) list.items.push_back(Config::scalar(fmt::format("{}", number)));
  return list;
}

Config to_config(const Fields::Pointer& pointer) {
  const auto none = [] { return Config::scalar("none"); };
  return std::visit(Overloaded{
                        [](const bool* value) { return Config::scalar(*value ? "true" : "false"); },
                        [](const int64_t* value) { return Config::scalar(fmt::format("{}", *value)); },
                        [](const double* value) { return Config::scalar(number_text(*value)); },
                        [](const std::string* value) { return string_config(*value); },
                        [](const std::vector<int64_t>* value) { return number_list(*value); },
                        [](const std::vector<std::string>* value) {
                          Config list;
                          list.kind = Config::Kind::sequence;
                          for (const std::string& item : *value) list.items.push_back(string_config(item));
                          return list;
                        },
                        [&](const std::optional<int64_t>* value) {
                          return *value ? Config::scalar(fmt::format("{}", **value)) : none();
                        },
                        [&](const std::optional<double>* value) {
                          return *value ? Config::scalar(number_text(**value)) : none();
                        },
                        [&](const std::optional<ByteSize>* value) {
                          return *value ? string_config(to_text(**value)) : none();
                        },
                        [](const WordOrNumbers* value) {
                          const auto* word = std::get_if<std::string>(value);
                          return word != nullptr ? string_config(*word)
                                                 : number_list(std::get<std::vector<int64_t>>(*value));
                        },
                    },
                    pointer);
}

}  // namespace

bool Range::contains(double value) const {
  return std::isfinite(value) && (low_excluded ? value > low : value >= low) && value <= high;
}

FieldReader::FieldReader(const Config& config) { push(config); }

namespace {

/// The shortest of dotted `paths` that ends in `key`, or in words of which `key` has the first letters
/// ("lr").
std::string path_to(const std::string& key, const std::vector<std::string>& paths) {
  std::string found;
  for (const std::string& path : paths) {
    const std::string last = path.substr(path.rfind('.') + 1);
    const bool same = last == key || initials(last) == key;
    if (same && (found.empty() || path.size() < found.size())) found = path;
  }
  return found;
}

/// In the place of a group that is not given: its fields are asked for all the same, so that they are known.
const Config& not_given() {
  static const Config empty = Config::empty_mapping();
  return empty;
}

}  // namespace

void FieldReader::push(const Config& config) {
  if (!config.is_mapping() && !config.is_null()) wrong_type(config, "a mapping of keys to values");
  levels_.push_back({&config, {}});
}

void FieldReader::pop() {
  const Level level = std::move(levels_.back());
  levels_.pop_back();
  std::vector<std::string> here, below;  // keys of this level, and paths to those further down
  for (const std::string& key : level.known)
    (key.find('.') == std::string::npos ? here : below).push_back(key);
  for (const Config::Entry& entry : level.config->entries) {
    if (std::find(here.begin(), here.end(), entry.key) != here.end()) continue;
    Config key = entry.value;
    key.place = entry.key_place;
    std::string meant = suggestion(entry.key, here);
    if (const std::string path = path_to(entry.key, below);
        !path.empty() && meant.find("did you mean") == std::string::npos)
      meant = fmt::format("; did you mean '{}'?", path);
    key.fail("unknown key" + meant);
  }
  if (levels_.empty()) return;
  // What is known here is worth a hint where it is written a level too high.
  std::vector<std::string>& outer = levels_.back().known;
  const auto entered = std::find_if(outer.rbegin(), outer.rend(),
                                    [](const auto& key) { return key.find('.') == std::string::npos; });
  if (entered == outer.rend()) return;
  const std::string inside = *entered + ".";
  for (const std::string& key : level.known)
    if (key != "type") outer.push_back(inside + key);
}

void FieldReader::finish() { pop(); }

const Config* FieldReader::take(std::string_view key) {
  levels_.back().known.emplace_back(key);
  return levels_.back().config->find(key);
}

void FieldReader::visit(const Field& field) {
  const Config* config = take(field.key);
  if (config == nullptr) return;
  std::visit(Overloaded{
                 [&](bool* value) { *value = read_truth(*config); },
                 [&](int64_t* value) { *value = read_number<int64_t>(*config, field.range); },
                 [&](double* value) { *value = read_number<double>(*config, field.range); },
                 [&](std::string* value) { *value = read_word(*config, field.choices); },
                 [&](std::vector<int64_t>* value) { *value = read_numbers(*config, field.range); },
                 [&](std::vector<std::string>* value) {
                   value->clear();
                   for (const Config& item : expect_list(*config).items)
                     value->push_back(read_word(item, field.choices));
                 },
                 [&](std::optional<int64_t>* value) {
                   value->reset();
                   if (!is_none(*config)) *value = read_number<int64_t>(*config, field.range);
                 },
                 [&](std::optional<double>* value) {
                   value->reset();
                   if (!is_none(*config)) *value = read_number<double>(*config, field.range);
                 },
                 [&](std::optional<ByteSize>* value) {
                   value->reset();
                   if (!is_none(*config)) *value = read_byte_size(*config);
                 },
                 [&](WordOrNumbers* value) {
                   if (config->kind == Config::Kind::scalar)
                     *value = read_word(*config, field.choices);
                   else if (config->kind == Config::Kind::sequence)
                     *value = read_numbers(*config, field.range);
                   else
                     wrong_type(*config, fmt::format("a list of whole numbers or one of {}",
                                                     fmt::join(field.choices, ", ")));
                 },
             },
             field.value);
}

void FieldReader::component(std::string_view key, AnyChoice& choice, std::string_view) {
  if (const Config* config = take(key)) return read_choice(*config, choice);
  push(not_given());
  choice.fields(*this);
  pop();
}

void FieldReader::components(std::string_view key, AnyChoices& choices, std::string_view) {
  const Config* config = take(key);
  if (config == nullptr) return;
  choices.clear();
  const size_t known = levels_.back().known.size();
  for (const Config& item : expect_list(*config).items) {
    // An entry without a type would be written back as one of no type.
    if (item.is_null()) wrong_type(item, "a name or a mapping with 'type'");
    read_choice(item, choices.append());
    levels_.back().known.resize(known);  // no path leads into a list
  }
}

void FieldReader::read_choice(const Config& config, AnyChoice& choice) {
  if (config.kind == Config::Kind::scalar) {
    choice.select(read_word(config, choice.types()));
    return;
  }
  if (!config.is_mapping()) wrong_type(config, "a name or a mapping with 'type'");
  const Config* type = config.find("type");
  if (type != nullptr)
    choice.select(read_word(*type, choice.types()));
  else if (choice.type().empty())
    config.fail(fmt::format("'type' is missing; known: {}", fmt::join(choice.types(), ", ")));
  push(config);
  levels_.back().known.emplace_back("type");
  choice.fields(*this);
  pop();
}

bool FieldReader::enter(std::string_view key, std::string_view) {
  const Config* config = take(key);
  push(config == nullptr ? not_given() : *config);
  return true;
}

void FieldReader::leave() { pop(); }

FieldWriter::FieldWriter() { levels_.push_back(Config::empty_mapping()); }

void FieldWriter::visit(const Field& field) {
  levels_.back().add(std::string(field.key), to_config(field.value));
}

void FieldWriter::component(std::string_view key, AnyChoice& choice, std::string_view) {
  Config written = write_choice(choice);  // before back(): writing it makes levels of its own
  levels_.back().add(std::string(key), std::move(written));
}

void FieldWriter::components(std::string_view key, AnyChoices& choices, std::string_view) {
  Config list;
  list.kind = Config::Kind::sequence;
  for (size_t i = 0; i < choices.size(); ++i) list.items.push_back(write_choice(choices.at(i)));
  levels_.back().add(std::string(key), std::move(list));
}

Config FieldWriter::write_choice(AnyChoice& choice) {
  levels_.push_back(Config::empty_mapping());
  levels_.back().add("type", string_config(choice.type()));
  choice.fields(*this);
  Config written = std::move(levels_.back());
  levels_.pop_back();
  return written;
}

bool FieldWriter::enter(std::string_view key, std::string_view) {
  keys_.emplace_back(key);
  levels_.push_back(Config::empty_mapping());
  return true;
}

void FieldWriter::leave() {
  Config group = std::move(levels_.back());
  levels_.pop_back();
  levels_.back().add(std::move(keys_.back()), std::move(group));
  keys_.pop_back();
}

std::string FieldHelp::dotted(std::string_view key) const {
  std::string path;
  for (const std::string& part : prefix_) path += part + ".";
  return path.append(key);
}

void FieldHelp::visit(const Field& field) {
  std::string allowed = fmt::format("{}", fmt::join(field.choices, " | "));
  if (std::holds_alternative<WordOrNumbers*>(field.value))
    allowed += " | a list of whole numbers";
  else if (field.range.says != any_number.says)
    allowed = field.range.says;
  lines.push_back(
      {dotted(field.key), to_config(field.value).to_line(), std::string(field.help), std::move(allowed)});
}

void FieldHelp::component(std::string_view key, AnyChoice& choice, std::string_view help) {
  lines.push_back(
      {dotted(key), choice.type(), std::string(help), fmt::format("{}", fmt::join(choice.types(), " | "))});
}

void FieldHelp::components(std::string_view key, AnyChoices& choices, std::string_view help) {
  std::vector<std::string> given;
  for (size_t i = 0; i < choices.size(); ++i) given.push_back(choices.at(i).type());
  lines.push_back({dotted(key), fmt::format("[{}]", fmt::join(given, ", ")), std::string(help),
                   fmt::format("a list of {}", fmt::join(choices.types(), " | "))});
}

bool FieldHelp::enter(std::string_view key, std::string_view) {
  prefix_.emplace_back(key);
  return true;
}

void FieldHelp::leave() { prefix_.pop_back(); }

}  // namespace plumb
