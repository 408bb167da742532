// Oracle: zlib's own compressor, and bytes of the format changed by hand.
#include "plumb/data/gzip.hpp"

#include "data/bytes.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

using plumb::gunzip;
using plumb::test::data_error;
using plumb::test::gzipped;

namespace {
std::string gzip_refusal(const std::string& bytes, int64_t limit = 1 << 20) {
  return data_error([&] { gunzip(bytes, "a.gz", limit); });
}
}  // namespace

TEST_CASE("what was compressed comes back", "[data][gzip]") {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += static_cast<char>(int64_t{i} * i % 251);
  CHECK(gunzip(gzipped(text), "a.gz") == text);
  CHECK(gunzip(gzipped(""), "a.gz").empty());
  CHECK(gunzip(gzipped("one, ") + gzipped("two"), "a.gz") == "one, two");
}

TEST_CASE("a file is inflated by its first bytes and otherwise read as it is", "[data][gzip]") {
  const plumb::test::TemporaryFolder folder;
  plumb::test::write_bytes(folder / "plain.gz", "plain");
  plumb::test::write_bytes(folder / "compressed", gzipped("inside"));
  CHECK(plumb::read_plain_or_gzip(folder / "plain.gz") == "plain");
  CHECK(plumb::read_plain_or_gzip(folder / "compressed") == "inside");
  CHECK_THROWS_AS(plumb::read_plain_or_gzip(folder / "absent"), plumb::DataError);
}

TEST_CASE("a gzip file cut at any byte is refused", "[data][gzip]") {
  const std::string whole = gzipped("some text that is long enough to compress, compress, compress");
  for (size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK_THAT(gzip_refusal(whole.substr(0, length)),
               ContainsSubstring(length < 2 ? "not a gzip file" : "the file is truncated"));
  }
}

TEST_CASE("a damaged, continued or overlong gzip file is refused", "[data][gzip]") {
  const std::string whole = gzipped(std::string(5000, 'a'));
  std::string damaged = whole;
  damaged[whole.size() - 6] = static_cast<char>(damaged[whole.size() - 6] ^ 1);  // in the checksum
  CHECK_THAT(gzip_refusal(damaged), ContainsSubstring("damaged: incorrect data check"));
  CHECK_THAT(gzip_refusal(whole + "abc"), ContainsSubstring("3 bytes follow the end"));
  CHECK(gzip_refusal(whole, 4999) == "a.gz: inflates to more than 4999 bytes, the most that is accepted");
  CHECK(gzip_refusal(whole, 5000) == "no error");
}
