#include "plumb/core/text.hpp"

#include <algorithm>
#include <cstdint>

namespace plumb {
namespace {

/// The character of `length` bytes at the front of `text`.
uint32_t code_point(std::string_view text, size_t length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (length == 1) return byte(0);
  uint32_t code = byte(0) & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3fU);
  return code;
}

/// Characters that move the cursor, break the line or turn the direction of what follows.
bool moves_text(uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool separator = code == 0x2028 || code == 0x2029;
  const bool direction = (code >= 0x200e && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
  return control || separator || direction;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

}  // namespace

size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const uint32_t code = code_point(text, length);
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool noncharacter = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
  return code < least[length] || code > 0x10ffff || surrogate || noncharacter ? 0 : length;
}

std::string plain_line(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0)
      plain += "\xef\xbf\xbd";
    else if (moves_text(code_point(text, length)))
      plain += ' ';
    else
      plain += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return plain;
}

std::string clipped(std::string_view text, size_t width) {
  size_t characters = 0, last = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!begins_character(text[i])) continue;
    if (characters + 1 == width) last = i;
    if (++characters > width) return std::string(text.substr(0, last)) + "…";
  }
  return std::string(text);
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string initials(std::string_view words) {
  std::string letters;
  for (size_t i = 0; i < words.size(); ++i)
    if (i == 0 || words[i - 1] == '_') letters += words[i];
  return letters.size() > 1 ? letters : std::string{};
}

}  // namespace plumb
