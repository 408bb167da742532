// Oracle: files written byte by byte after the description of the format.
#include "plumb/data/idx.hpp"

#include "data/bytes.hpp"
#include "support/catch.hpp"

using plumb::parse_idx;
using plumb::test::data_error;
using plumb::test::idx_bytes;

namespace {
std::string idx_refusal(const std::string& bytes) {
  return data_error([&] { parse_idx(bytes, "a.idx"); });
}
}  // namespace

TEST_CASE("an IDX file gives its sizes and its values in order", "[data][idx]") {
  const std::string bytes(
      "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
      "abcdef",
      18);
  const plumb::IdxArray array = parse_idx(bytes, "a.idx");
  CHECK(array.sizes == std::vector<int64_t>{2, 3});
  CHECK(array.values == "abcdef");
}

TEST_CASE("sizes take all four bytes, most significant first", "[data][idx]") {
  const std::string bytes = idx_bytes({0x10203}, std::string(0x10203, 'x'));
  CHECK(parse_idx(bytes, "a.idx").sizes == std::vector<int64_t>{66051});
}

TEST_CASE("IDX bytes that are not as the header says are refused with what was found", "[data][idx]") {
  CHECK(idx_refusal("") == "a.idx: holds 0 bytes; an IDX file begins with 4");
  CHECK(idx_refusal(std::string("\0\0\x08", 3)) == "a.idx: holds 3 bytes; an IDX file begins with 4");
  CHECK(idx_refusal("PK\x08\x03") ==
        "a.idx: begins with bytes 0x50 0x4b; an IDX file begins with two zero bytes");
  CHECK(idx_refusal(std::string("\0\0\x0d\x01\0\0\0\x01zzzz", 12)) ==
        "a.idx: holds 32-bit floats (type 0x0d); unsigned bytes (type 0x08) are expected");
  CHECK(idx_refusal(std::string("\0\0\x08\0", 4)) == "a.idx: has no dimensions; at least one is expected");
  CHECK(idx_refusal(std::string("\0\0\x08\x03\0\0\0\x02", 8)) ==
        "a.idx: holds 8 bytes; the header of an IDX file with 3 dimensions takes 16");
  CHECK(idx_refusal(idx_bytes({2, 0}, "")) == "a.idx: dimension 1 has size 0; a positive size is expected");
  CHECK(idx_refusal(idx_bytes({2, 3}, "abcde")) ==
        "a.idx: holds 5 values after the header, which promises 6; the file is truncated");
  CHECK(idx_refusal(idx_bytes({2, 3}, "abcdefg")) ==
        "a.idx: holds 7 values after the header, which promises 6; the file is followed by other bytes");
}

TEST_CASE("IDX sizes whose product overflows are refused instead of wrapping around", "[data][idx]") {
  // 2^32 - 1 squared fits into 64 bits without sign only; 2^16 to the fourth wraps around to 0.
  CHECK_THAT(idx_refusal(idx_bytes({0xffffffff, 0xffffffff}, "")), ContainsSubstring("more than 2^63"));
  CHECK_THAT(idx_refusal(idx_bytes({0x10000, 0x10000, 0x10000, 0x10000}, "")),
             ContainsSubstring("more than 2^63"));
  CHECK_THAT(idx_refusal(idx_bytes({0xffffffff, 2}, "")), ContainsSubstring("promises 8589934590"));
}
