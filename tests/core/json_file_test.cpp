// Oracle: RFC 8259's meaning of each text, written out by hand.
#include "plumb/core/json_file.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using namespace plumb;

namespace {

std::string json_refusal(const std::string& json) {
  try {
    parse_json(json, "a.json");
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("JSON is read as a tree of texts in the order written", "[core][json]") {
  const Config json =
      parse_json(R"({"b": 1.50, "a": ["x", null, true, {"k": -3}], "": "\u00e9\n"})", "a.json");
  REQUIRE(json.entries.size() == 3);
  CHECK(json.entries[0].key == "b");
  CHECK(json.find("b")->text == "1.50");
  CHECK_FALSE(json.find("b")->quoted);
  const Config& list = *json.find("a");
  REQUIRE(list.items.size() == 4);
  CHECK(list.items[0].quoted);
  CHECK(list.items[1].is_null());
  CHECK(list.items[2].text == "true");
  CHECK(list.items[3].find("k")->text == "-3");
  CHECK(json.find("")->text == "\xc3\xa9\n");
}

TEST_CASE("JSON that no program should write is refused, not obeyed", "[core][json]") {
  CHECK_THAT(json_refusal("{"), ContainsSubstring("a.json: is no JSON"));
  CHECK_THAT(json_refusal("{\"a\": 1e400}"), ContainsSubstring("a.json: is no JSON"));
  CHECK_THAT(json_refusal("{\"a\": \"\xff\"}"), ContainsSubstring("a.json: is no JSON"));
  CHECK_THAT(json_refusal("{\"a\": 1} x"), ContainsSubstring("a.json: is no JSON"));
  CHECK(json_refusal(std::string(100000, '[')) == "a.json: lists and objects are more than 64 deep");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK(json_refusal(objects) == "a.json: lists and objects are more than 64 deep");
  CHECK(json_refusal(std::string(64, '[') + std::string(64, ']')) == "accepted");
}

TEST_CASE("a file that holds no object is named", "[core][json]") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "a.json", "[1]");
  CHECK_THROWS_WITH(load_json(folder / "a.json"), ContainsSubstring("a.json: is no JSON object"));
  CHECK_THROWS_AS(load_json(folder / "none.json"), DataError);
}
