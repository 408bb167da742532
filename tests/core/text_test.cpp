// Oracle: the Unicode code charts, by hand.
#include "plumb/core/text.hpp"

#include "support/catch.hpp"

using namespace plumb;

TEST_CASE("text from outside moves no cursor and breaks no line", "[core][text]") {
  CHECK(plain_line("a\nb\tc\x1b[31m") == "a b c [31m");
  CHECK(plain_line("\xc2\x9b[31m") == " [31m");  // C1: a control sequence in one character
  CHECK(plain_line("a\xe2\x80\xae"
                   "b\xe2\x80\xa8"
                   "c") == "a b c");  // right-to-left override, line separator
  CHECK(plain_line("\xff\xc3") == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(plain_line("größe λ 𝄞 日本") == "größe λ 𝄞 日本");
  CHECK(plain_line("").empty());
}

TEST_CASE("text is cut between characters", "[core][text]") {
  CHECK(character_count("größe") == 5);
  CHECK(clipped("größe", 5) == "größe");
  CHECK(clipped("größe", 4) == "grö…");
  CHECK(clipped("größe", 1) == "…");
}
