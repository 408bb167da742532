/// Files of JSON that a program may have written, or something may have damaged.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "plumb/core/config.hpp"

namespace plumb {

/// JSON as a tree of values: strings are quoted scalars; numbers, true and false are scalars as written.
/// Throws DataError "source: problem" for what is no JSON, for lists and objects more than 64 deep, and for
/// numbers that a double cannot hold.
Config parse_json(std::string_view json, const std::string& source);

/// The object in a file. Throws DataError when it cannot be read or holds none.
Config load_json(const std::filesystem::path& file);

}  // namespace plumb
