# Writes the version and the commit into a source file; run at every build, touches the file only when they change.
#   cmake -DSOURCE_DIR=... -DVERSION=... -DOUTPUT=... -P version.cmake
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=10 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
else()
  execute_process(COMMAND git -C ${SOURCE_DIR} diff --quiet HEAD -- lib apps cmake CMakeLists.txt
    RESULT_VARIABLE changed ERROR_QUIET)
  if(changed)
    string(APPEND commit "+")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#include \"plumb/core/version.hpp\"

namespace plumb {
const char* const kVersion = \"${VERSION}\";
const char* const kCommit = \"${commit}\";
}  // namespace plumb
")
