#include "plumb/core/byte_size.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace plumb {
namespace {

constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};

}  // namespace

std::optional<ByteSize> parse_byte_size(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const std::string_view known : units) {
    // 2^62: beyond it, and for NaN, the conversion to an integer is not defined.
    if (unit == known)
      return number >= 1 && number < 0x1p62 ? std::optional(ByteSize{static_cast<int64_t>(number)})
                                            : std::nullopt;
    number *= 1024;
  }
  return std::nullopt;
}

std::string to_text(ByteSize size) {
  size_t unit = 0;
  while (unit + 1 < units.size() && size.bytes != 0 && size.bytes % 1024 == 0) {
    size.bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", size.bytes, units[unit]);
}

}  // namespace plumb
