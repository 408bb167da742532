// Oracle: the YAML 1.2 specification's meaning of each text, written out by hand.
#include "plumb/core/config.hpp"

#include <chrono>

#include "support/catch.hpp"
#include <fmt/format.h>

#include "plumb/core/error.hpp"

using plumb::Config;
using plumb::ConfigError;

namespace {
std::string refusal(const std::string& yaml) {
  try {
    Config::parse(yaml, "a.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("a description keeps values, order and places", "[core][config]") {
  const Config config = Config::parse("b: 1\na:\n  - x\n  - {k: 'v'}\n", "a.yaml");
  REQUIRE(config.entries.size() == 2);
  CHECK(config.entries[0].key == "b");
  const Config* list = config.find("a");
  REQUIRE(list != nullptr);
  REQUIRE(list->items.size() == 2);
  CHECK(list->items[1].path == "a[1]");
  const Config* value = list->items[1].find("k");
  REQUIRE(value != nullptr);
  CHECK(value->text == "v");
  CHECK(value->quoted);
  CHECK(value->path == "a[1].k");
  CHECK(value->place.line == 4);
  CHECK(value->place.column == 9);
}

TEST_CASE("ambiguous YAML is refused with its place", "[core][config]") {
  CHECK(refusal("a: 1\na: 2\n") == "a.yaml:2:1: a: duplicate key; first given at line 1");
  CHECK(refusal("a: &x 1\nb: *x\n") == "a.yaml:1:4: anchors are not supported; write the value out");
  // The words are yaml-cpp's; newer versions append the anchor's name.
  CHECK_THAT(refusal("a: *x\n"), ContainsSubstring("a.yaml:1:4: the referenced anchor is not defined"));
  CHECK(refusal("<<: {a: 1}\n") == "a.yaml:1:1: <<: a key must be a plain word");
  CHECK(refusal("a: !!int 1\n") == "a.yaml:1:4: tags are not supported");
  CHECK(refusal("[1, 2]: a\n") == "a.yaml:1:1: a key must be a plain word");
  CHECK(refusal("a: 1\n---\nb: 2\n") == "a.yaml: holds several YAML documents; one is expected");
  CHECK_THAT(refusal("a: [1, 2\n"), ContainsSubstring("a.yaml:2:"));
  CHECK_THAT(refusal(std::string("a: 1\0b", 6)), ContainsSubstring("zero byte"));
}

TEST_CASE("written YAML reads back to the same values", "[core][config]") {
  const std::string yaml =
      "name: run\nwidth: 8\ntext: \"true\"\nempty: \"\"\nlist: [1, \"2\", {a: b}]\ngroup:\n  rate: 0.5\n  "
      "none: ~\n";
  const Config once = Config::parse(yaml);
  const Config twice = Config::parse(once.to_yaml());
  CHECK(twice.to_yaml() == once.to_yaml());
  CHECK(twice.find("text")->quoted);
  CHECK(twice.find("list")->items[1].quoted);
  CHECK(twice.find("group")->find("none")->is_null());
}

TEST_CASE("a dotted path sets a value and turns a component's name into a mapping", "[core][config]") {
  Config config = Config::parse("model: mlp\n");
  config.set("model.width", Config::scalar("8"));
  config.set("training.optimizer.learning_rate", Config::scalar("0.1"));
  CHECK(config.to_line() == "model: {type: mlp, width: 8}, training: {optimizer: {learning_rate: 0.1}}");
  CHECK(config.find("training")->find("optimizer")->path == "training.optimizer");
  CHECK_THROWS_AS(config.set("a..b", Config::scalar("1")), ConfigError);
  config = Config::parse("list: [1]\n");
  CHECK_THROWS_AS(config.set("list.x", Config::scalar("1")), ConfigError);
}

TEST_CASE("a near miss is suggested, a far one lists what is known", "[core][config]") {
  CHECK(plumb::suggestion("widht", {"depth", "width"}) == "; did you mean 'width'?");
  CHECK(plumb::suggestion("zzz", {"depth", "width"}) == "; known: depth, width");
}

TEST_CASE("text that is not UTF-8 is refused with its place", "[core][config]") {
  CHECK(refusal("a: b\nc: \xea\xea") == "a.yaml:2:4: byte 0xea is not UTF-8 text");
  CHECK(refusal("\x80") == "a.yaml:1:1: byte 0x80 is not UTF-8 text");
  CHECK(refusal("a: \xc0\xaf") == "a.yaml:1:4: byte 0xc0 is not UTF-8 text");          // overlong
  CHECK(refusal("a: \xed\xa0\x80") == "a.yaml:1:4: byte 0xed is not UTF-8 text");      // surrogate
  CHECK(refusal("a: \xf4\x90\x80\x80") == "a.yaml:1:4: byte 0xf4 is not UTF-8 text");  // above U+10FFFF
  CHECK(refusal("a: \xc3") == "a.yaml:1:4: byte 0xc3 is not UTF-8 text");              // cut
  CHECK(Config::parse("a: \xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e").find("a")->text ==
        "\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e");
}

TEST_CASE("a carriage return in a scalar or key survives writing and reading", "[core][config]") {
  for (const std::string yaml : {"\r", "a: \"x\\ry\"", "\"k\\re\": 1"}) {
    const Config once = Config::parse(yaml);
    CHECK(Config::parse(once.to_yaml()).to_line() == once.to_line());
  }
}

TEST_CASE("a tab that indents is named and shown", "[core][config]") {
  CHECK(refusal("a:\n\tb: 1\n") == "a.yaml:2:1: a tab; lines are indented by spaces in YAML, never by tabs");
  CHECK(refusal("a:\n  b: 1\n  \tc: 2\n") ==
        "a.yaml:3:3: a tab; lines are indented by spaces in YAML, never by tabs");
  CHECK(Config::parse("a:\t1\n# \tx\n").find("a")->text == "1");  // where a tab is only a space
}

TEST_CASE("deep descriptions are refused, and long ones read in time", "[core][config]") {
  CHECK(refusal("a: " + std::string(100000, '[')) != "accepted");
  CHECK_THAT(refusal("a: " + std::string(70, '[') + std::string(70, ']')),
             ContainsSubstring("lists and mappings are more than 64 deep"));
  std::string nested;
  for (int i = 0; i < 70; ++i) nested += std::string(static_cast<size_t>(2 * i), ' ') + "k:\n";
  CHECK_THAT(refusal(nested + std::string(140, ' ') + "x"), ContainsSubstring("more than 64 deep"));
  std::string keys;
  for (int i = 0; i < 200000; ++i) keys += fmt::format("key{}: {}\n", i, i);
  const auto seconds = [](const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const std::string half = keys.substr(0, keys.find("key100000:"));
  const double short_time = seconds([&] { CHECK(Config::parse(half).entries.size() == 100000); });
  const double long_time = seconds([&] { CHECK(Config::parse(keys).entries.size() == 200000); });
  CHECK(long_time <
        5 * short_time);  // quadratic: 4 times, and half a minute; what is linear has room for noise
  CHECK(long_time < 10);
  CHECK_THAT(refusal(keys + "key7: 1"), ContainsSubstring("duplicate key; first given at line 8"));
  CHECK_THAT(refusal(std::string(17 << 20, ' ')),
             ContainsSubstring("a description may have 16777216 (16 MiB)"));
}
