// Oracle: the messages and values a reader of the description would expect, written out by hand.
#include "plumb/core/fields.hpp"

#include "support/catch.hpp"

#include "plumb/core/error.hpp"
#include "plumb/core/registry.hpp"

using namespace plumb;

namespace {

enum class Colour { red, green };

struct Inner {
  double rate = 0.5;
  void fields(Fields& f) { f.field("rate", rate, "a rate", fraction); }
};

struct Small {
  int64_t width = 4;
  void fields(Fields& f) { f.field("width", width, "units", positive); }
};

struct Empty {
  void fields(Fields&) {}
};

using Makers = Registry<int64_t(int64_t)>;

const Makers& makers() {
  static const Makers registry = [] {
    Makers built;
    built.add<Small>("small", "a small one",
                     [](const Small& options, int64_t factor) { return options.width * factor; });
    built.add<Empty>("empty", "an empty one", [](const Empty&, int64_t) { return int64_t{0}; });
    return built;
  }();
  return registry;
}

struct Everything {
  bool flag = false;
  int64_t count = 3;
  double size = 1.5;
  std::string word = "a";
  Colour colour = Colour::red;
  std::vector<int64_t> numbers{1, 2};
  std::vector<std::string> words;
  std::optional<int64_t> limit;
  std::optional<double> target = 0.25;
  Inner inner;
  Choice<int64_t(int64_t)> part{makers(), "small"};
  Choices<int64_t(int64_t)> parts{makers()};
  WordOrNumbers when = "always";

  void fields(Fields& f) {
    f.field("flag", flag, "a flag");
    f.field("count", count, "how many", positive);
    f.field("size", size, "how large");
    f.field("word", word, "which", {"a", "b"});
    f.field("colour", colour, "which colour", {"red", "green"});
    f.field("numbers", numbers, "some numbers", non_negative);
    f.field("words", words, "some words");
    f.field("limit", limit, "an end", positive);
    f.field("target", target, "a goal", fraction);
    f.section("inner", inner, "a group");
    f.component("part", part, "a component");
    f.components("parts", parts, "some components");
    f.field("when", when, "at which times", {"always", "never"}, positive);
  }
};

std::string options_refusal(const std::string& yaml) {
  try {
    read_options<Everything>(Config::parse(yaml, "a.yaml"));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("options are read from YAML and keep their defaults otherwise", "[core][fields]") {
  const auto options = read_options<Everything>(
      Config::parse("flag: true\ncount: 7\nsize: 1e-3\nword: b\ncolour: green\nnumbers: [0, 5]\nwords: [x, "
                    "'true']\nlimit: 9\n"
                    "target: none\ninner: {rate: 1}\npart: {type: small, width: 11}\n"));
  CHECK(options.flag);
  CHECK(options.count == 7);
  CHECK(options.size == 1e-3);
  CHECK(options.word == "b");
  CHECK(options.colour == Colour::green);
  CHECK(options.numbers == std::vector<int64_t>{0, 5});
  CHECK(options.words == std::vector<std::string>{"x", "true"});
  CHECK(options.limit == 9);
  CHECK_FALSE(options.target.has_value());
  CHECK(options.inner.rate == 1);
  CHECK(options.part.make(2) == 22);
  CHECK(read_options<Everything>(Config::parse("{}")).part.make(2) == 8);
  CHECK(read_options<Everything>(Config::parse("part: empty")).part.make(2) == 0);
}

TEST_CASE("a list of components keeps its order and each one's options", "[core][fields]") {
  const auto made = [](const std::string& yaml) {
    const auto options = read_options<Everything>(Config::parse(yaml));
    std::vector<int64_t> numbers;
    for (const auto& part : options.parts) numbers.push_back(part.make(2));
    return numbers;
  };
  CHECK(made("{}").empty());
  CHECK(made("parts: []").empty());
  CHECK(made("parts: [small, {type: small, width: 5}, empty]") == std::vector<int64_t>{8, 10, 0});
  CHECK(made("parts:\n  - {type: empty}\n  - small\n") == std::vector<int64_t>{0, 8});
}

TEST_CASE("a word or numbers is read as what it is", "[core][fields]") {
  CHECK(std::get<std::string>(read_options<Everything>(Config::parse("when: never")).when) == "never");
  CHECK(std::get<std::vector<int64_t>>(read_options<Everything>(Config::parse("when: [3, 1]")).when) ==
        std::vector<int64_t>{3, 1});
}

TEST_CASE("what is written reads back to the same options", "[core][fields]") {
  Everything options;
  options.size = 0.1 + 0.2;  // has no short decimal form
  options.words = {"true", "1", "a b", ""};
  options.limit = 5;
  options.when = std::vector<int64_t>{7, 9};
  options.parts.append().select("empty");
  options.parts.append().select("small");
  const std::string yaml = write_options(options).to_yaml();
  const auto again = read_options<Everything>(Config::parse(yaml));
  CHECK(again.size == options.size);
  CHECK(again.words == options.words);
  CHECK(again.limit == 5);
  CHECK(std::get<std::vector<int64_t>>(again.when) == std::vector<int64_t>{7, 9});
  CHECK_THAT(yaml, ContainsSubstring("parts:\n  - type: empty\n  - type: small\n    width: 4\n"));
  CHECK(write_options(again).to_yaml() == yaml);
}

TEST_CASE("wrong values are refused with place, path and what is right", "[core][fields]") {
  CHECK(options_refusal("cuont: 1") == "a.yaml:1:1: cuont: unknown key; did you mean 'count'?");
  CHECK(options_refusal("inner:\n  rat: 1") == "a.yaml:2:3: inner.rat: unknown key; did you mean 'rate'?");
  CHECK(options_refusal("count: -3") == "a.yaml:1:8: count: -3 must be positive");
  CHECK(options_refusal("count: 1.5") == "a.yaml:1:8: count: '1.5' is not a whole number");
  CHECK(options_refusal("count: 010x") == "a.yaml:1:8: count: '010x' is not a whole number");
  CHECK(options_refusal("count: '3'") ==
        "a.yaml:1:8: count: '3' is a text, as it is quoted; a whole number is expected: write 3");
  CHECK(options_refusal("size: \"1.5\"") ==
        "a.yaml:1:7: size: '1.5' is a text, as it is quoted; a number is expected: write 1.5");
  CHECK(options_refusal("count: 'x'") == "a.yaml:1:8: count: 'x' is not a whole number");
  CHECK(options_refusal("count: 99999999999999999999") ==
        "a.yaml:1:8: count: 99999999999999999999 is too large to hold");
  CHECK(options_refusal("size: 1e400") == "a.yaml:1:7: size: 1e400 is too large to hold");
  CHECK(options_refusal("size: -1e-400") == "a.yaml:1:7: size: -1e-400 is too small to hold");
  CHECK(options_refusal("count: [1]") == "a.yaml:1:8: count: a list is not a whole number");
  CHECK(options_refusal("count: none") == "a.yaml:1:8: count: 'none' is not a whole number");
  CHECK(options_refusal("size: .inf") == "a.yaml:1:7: size: '.inf' is not a number");
  CHECK(options_refusal("size: inf") == "a.yaml:1:7: size: inf must be a finite number");
  CHECK(options_refusal("size: nan") == "a.yaml:1:7: size: nan must be a finite number");
  CHECK(options_refusal("target: 1.01") == "a.yaml:1:9: target: 1.01 must lie between 0 and 1");
  CHECK(options_refusal("flag: yes") == "a.yaml:1:7: flag: 'yes' is not true or false; write true");
  CHECK(options_refusal("flag: 'False'") == "a.yaml:1:7: flag: 'False' is not true or false; write false");
  CHECK(options_refusal("flag: tRUE") == "a.yaml:1:7: flag: 'tRUE' is not true or false");
  CHECK(options_refusal("word: c") ==
        "a.yaml:1:7: word: 'c' is not allowed; did you mean 'a'? (allowed: a, b)");
  CHECK(options_refusal("numbers: [1, -1]") == "a.yaml:1:14: numbers[1]: -1 must not be negative");
  CHECK(options_refusal("inner: 3") == "a.yaml:1:8: inner: '3' is not a mapping of keys to values");
  CHECK(options_refusal("part: smal") ==
        "a.yaml:1:7: part: 'smal' is not allowed; did you mean 'small'? (allowed: empty, small)");
  CHECK(options_refusal("part: {type: empty, width: 1}") ==
        "a.yaml:1:21: part.width: unknown key; known: type");
  CHECK(options_refusal("parts: small") == "a.yaml:1:8: parts: 'small' is not a list");
  CHECK(options_refusal("parts: [small, smal]") ==
        "a.yaml:1:16: parts[1]: 'smal' is not allowed; did you mean 'small'? (allowed: empty, small)");
  CHECK(options_refusal("parts:\n  - {type: small, widht: 3}") ==
        "a.yaml:2:19: parts[0].widht: unknown key; did you mean 'width'?");
  CHECK(options_refusal("parts: [{width: 3}]") ==
        "a.yaml:1:9: parts[0]: 'type' is missing; known: empty, small");
  CHECK(options_refusal("parts: [{type: small, width: 0}]") ==
        "a.yaml:1:30: parts[0].width: 0 must be positive");
  CHECK(options_refusal("parts: [~]") ==
        "a.yaml:1:9: parts[0]: nothing is not a name or a mapping with 'type'");
  CHECK(options_refusal("parts: [[small]]") ==
        "a.yaml:1:9: parts[0]: a list is not a name or a mapping with 'type'");
  CHECK(options_refusal("when: nevr") ==
        "a.yaml:1:7: when: 'nevr' is not allowed; did you mean 'never'? (allowed: always, never)");
  CHECK(options_refusal("when: [1, 0]") == "a.yaml:1:11: when[1]: 0 must be positive");
  CHECK(options_refusal("when: {}") ==
        "a.yaml:1:7: when: a mapping is not a list of whole numbers or one of always, never");
  CHECK(options_refusal("[1]") == "a.yaml:1:1: a list is not a mapping of keys to values");
}

TEST_CASE("truth and nothing are written as YAML 1.2 has them", "[core][fields]") {
  for (const char* word : {"true", "True", "TRUE"})
    CHECK(read_options<Everything>(Config::parse(fmt::format("flag: {}", word))).flag);
  for (const char* word : {"false", "False", "FALSE"})
    CHECK_FALSE(read_options<Everything>(Config::parse(fmt::format("flag: {}", word))).flag);
  for (const char* word : {"null", "Null", "NULL", "~", ""})
    CHECK_FALSE(read_options<Everything>(Config::parse(fmt::format("target: {}", word))).target.has_value());
  // Words that look like them stay words.
  Everything options;
  options.words = {"True", "NULL", "null"};
  CHECK(read_options<Everything>(Config::parse(write_options(options).to_yaml())).words == options.words);
}

TEST_CASE("a key written a level too high, or by its first letters, is found", "[core][fields]") {
  CHECK(options_refusal("rate: 1") == "a.yaml:1:1: rate: unknown key; did you mean 'inner.rate'?");
  CHECK(options_refusal("width: 1") == "a.yaml:1:1: width: unknown key; did you mean 'part.width'?");
  CHECK_THAT(options_refusal("inner.rate: 1"), ContainsSubstring("inner.rate: unknown key"));
  CHECK(suggestion("lr", {"type", "learning_rate"}) == "; did you mean 'learning_rate'?");
  CHECK(suggestion("train", {"trainer_x", "training"}) == "; known: trainer_x, training");  // two begin so
  CHECK(suggestion("optim", {"optimizer", "loss"}) == "; did you mean 'optimizer'?");
}

TEST_CASE("help lists every field once with its default", "[core][fields]") {
  FieldHelp help;
  Everything{}.fields(help);
  REQUIRE(help.lines.size() == 13);
  CHECK(help.lines[1].key == "count");
  CHECK(help.lines[1].value == "3");
  CHECK(help.lines[1].allowed == "must be positive");
  CHECK(help.lines[9].key == "inner.rate");
  CHECK(help.lines[10].allowed == "empty | small");
  CHECK(help.lines[11].value == "[]");
  CHECK(help.lines[11].allowed == "a list of empty | small");
  CHECK(help.lines[12].allowed == "always | never | a list of whole numbers");
}

TEST_CASE("a registry refuses a name twice and an unknown name", "[core][registry]") {
  Makers registry;
  const auto make = [](const Empty&, int64_t) { return int64_t{1}; };
  registry.add<Empty>("one", "", make);
  CHECK_THROWS_AS(registry.add<Empty>("one", "", make), ContractError);
  CHECK_THROWS_AS(registry.at("two"), ContractError);
}

TEST_CASE("copies of a choice do not share their options", "[core][registry]") {
  Choice<int64_t(int64_t)> first(makers(), "small");
  Choice<int64_t(int64_t)> second = first;
  const Config config = Config::parse("width: 100");
  FieldReader reader(config);
  second.fields(reader);
  CHECK(second.make(1) == 100);
  CHECK(first.make(1) == 4);
}
