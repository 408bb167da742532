/// The kinds of failure a person must fix; anything that is a result of an experiment is a value instead.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace plumb {

/// Base of every exception plumb throws. Messages read "place: value found; what is right".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The description is wrong: a YAML file, an override or a command-line option.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A file is missing, malformed or cannot be written.
class DataError : public Error {
 public:
  using Error::Error;
};

/// A precondition of a function is broken: the caller is at fault.
class ContractError : public Error {
 public:
  using Error::Error;
};

/// Throws ContractError with the formatted message unless `holds`.
template <class... Args>
void expects(bool holds, fmt::format_string<Args...> message, Args&&... args) {
  if (!holds) throw ContractError(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace plumb
