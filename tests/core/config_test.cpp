// Oracle: the YAML 1.2 specification's meaning of each text, written out by hand.
#include "plumb/core/config.hpp"

#include "support/catch.hpp"

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
