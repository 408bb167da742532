/// Text from outside made fit for a terminal, a page and a figure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plumb {

/// The bytes of the UTF-8 character at the front of `text`, which is not empty; 0 when there is none, or one
/// that YAML cannot hold (a noncharacter).
size_t utf8_length(std::string_view text);

/// `text` on one line and in plain characters: control characters, line separators and marks that turn the
/// direction of writing become spaces, bytes that are not UTF-8 become U+FFFD.
std::string plain_line(std::string_view text);

/// The first `width` characters of UTF-8 text, the last one an ellipsis when some are missing.
std::string clipped(std::string_view text, size_t width);

/// How many characters UTF-8 text has.
size_t character_count(std::string_view text);

/// The first letters of words joined by underscores, "lr" of "learning_rate"; nothing of a single word.
std::string initials(std::string_view words);

}  // namespace plumb
