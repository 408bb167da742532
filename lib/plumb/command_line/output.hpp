/// What the program prints, wherever its output goes: a full disk and a closed descriptor stop no training.
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace plumb {

/// Opens /dev/null for those of the three standard streams that are closed: a file of ours must not get their
/// number, and with it what is printed.
void open_standard_streams();

/// Prints text to standard output. Nothing is thrown; all_output_arrived tells of what could not be written.
void say_text(std::string_view text);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_text(fmt::format(format, std::forward<Args>(args)...));
}

/// Prints "plumb: message" to standard error, as far as that takes it.
void complain(std::string_view message);
/// The same; returns `status`.
int complain(int status, std::string_view message);

/// Writes what is still to be written to standard output.
void flush_output();

/// Does the same at the end of the program; complains and returns false when some of all that
/// was printed was lost.
bool all_output_arrived();

/// What is said for std::bad_alloc.
inline constexpr std::string_view out_of_memory = "out of memory";

}  // namespace plumb
