/// System calls that a signal may interrupt or that do a part of their work.
#pragma once

#include <cerrno>
#include <string_view>
#include <system_error>

namespace plumb {

/// What `call` returns in the end: it is repeated while a signal interrupts it (-1 with errno EINTR). Not for
/// close(), which has closed the descriptor even then.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// The same for std::filesystem: call(error) is repeated while a signal interrupts it. Returns its last
/// error.
template <class Call>
std::error_code uninterrupted_error(Call call) {
  std::error_code error;
  do call(error);
  while (error == std::errc::interrupted);
  return error;
}

/// Writes all of `bytes`, in as many parts as it takes; false, with errno set, when that cannot be done.
bool write_all(int descriptor, std::string_view bytes);

}  // namespace plumb
