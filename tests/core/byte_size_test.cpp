// Oracle: sizes written out by hand.
#include "plumb/core/byte_size.hpp"

#include "support/catch.hpp"

#include "plumb/core/config.hpp"
#include "plumb/core/fields.hpp"

using namespace plumb;

namespace {

struct BudgetOptions {
  std::optional<ByteSize> memory;
  void fields(Fields& f) { f.field("memory", memory, "budget"); }
};

}  // namespace

TEST_CASE("sizes of memory are numbers with binary units", "[core][byte_size]") {
  CHECK(parse_byte_size("4GiB")->bytes == 4294967296);
  CHECK(parse_byte_size("1.5 MiB")->bytes == 1572864);
  CHECK(parse_byte_size("17B")->bytes == 17);
  CHECK(parse_byte_size("2TiB")->bytes == 2199023255552);
  for (const char* wrong :
       {"", "GiB", "4", "4GB", "4 gib", "-1GiB", "0B", "nanGiB", "1e30TiB", "4GiB more", " 4GiB"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_byte_size(wrong).has_value());
  }
  for (const char* text : {"4GiB", "1536MiB", "1000B", "3TiB"})
    CHECK(to_text(*parse_byte_size(text)) == text);
}

TEST_CASE("a description gives a budget as such a size", "[core][byte_size]") {
  CHECK(read_options<BudgetOptions>(Config::parse("memory: 4GiB")).memory->bytes == int64_t{4} << 30);
  CHECK_FALSE(read_options<BudgetOptions>(Config::parse("memory: none")).memory.has_value());
  CHECK_FALSE(read_options<BudgetOptions>(Config::parse("{}")).memory.has_value());
  const Config again = write_options(BudgetOptions{ByteSize{1 << 20}});
  CHECK(read_options<BudgetOptions>(again).memory->bytes == 1 << 20);
  CHECK_THROWS_WITH(read_options<BudgetOptions>(Config::parse("memory: 4GB", "a.yaml")),
                    "a.yaml:1:9: memory: '4GB' is no size of memory; write 512MiB or 4GiB");
}
