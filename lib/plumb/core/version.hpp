/// Which plumb this is; the values are written by the build (cmake/version.cmake).
#pragma once

namespace plumb {

extern const char* const kVersion;  // "0.1.0"
extern const char* const
    kCommit;  // short hash, "+" appended when the sources differ from it; "unknown" without git

}  // namespace plumb
