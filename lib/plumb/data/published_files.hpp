/// Whether a file is the one that the authors of a data set published.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace plumb {

enum class Published { yes, no, unknown };

/// Compares `file` of the data set `name` (as `plumb fetch` calls it) by SHA-256: as it lies there, against
/// the published download; and by its `contents`, inflated, where their hash is known, so that a file that
/// was compressed anew is recognised. `unknown` when there is nothing to compare with. Throws DataError when
/// the file cannot be read.
Published compare_with_published(const std::string& name, const std::filesystem::path& file,
                                 std::string_view contents);

}  // namespace plumb
