#include "plumb/core/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "plumb/core/error.hpp"

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

template <class Number>
Number parse_number(const Config& config, std::string_view expected) {
  Number number{};
  std::string_view text = config.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const bool plain = config.kind == Config::Kind::scalar && !config.quoted && !text.starts_with('+');
  if (!plain) wrong_type(config, expected);
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range)
    config.fail(fmt::format("{} is too large to hold", config.text));
  if (error != std::errc{} || stop != end) wrong_type(config, expected);
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

void FieldReader::push(const Config& config) {
  if (!config.is_mapping() && !config.is_null()) wrong_type(config, "a mapping of keys to values");
  levels_.push_back({&config, {}});
}

void FieldReader::pop() {
  const Level& level = levels_.back();
  for (const Config::Entry& entry : level.config->entries) {
    if (std::find(level.known.begin(), level.known.end(), entry.key) != level.known.end()) continue;
    Config key = entry.value;
    key.place = entry.key_place;
    key.fail("unknown key" + suggestion(entry.key, level.known));
  }
  levels_.pop_back();
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
                 [&](bool* value) {
                   const bool plain = config->kind == Config::Kind::scalar && !config->quoted;
                   if (!plain || (config->text != "true" && config->text != "false"))
                     wrong_type(*config, "true or false");
                   *value = config->text == "true";
                 },
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
  if (const Config* config = take(key)) read_choice(*config, choice);
}

void FieldReader::components(std::string_view key, AnyChoices& choices, std::string_view) {
  const Config* config = take(key);
  if (config == nullptr) return;
  choices.clear();
  for (const Config& item : expect_list(*config).items) {
    // An entry without a type would be written back as one of no type.
    if (item.is_null()) wrong_type(item, "a name or a mapping with 'type'");
    read_choice(item, choices.append());
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
  if (config == nullptr) return false;
  push(*config);
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
