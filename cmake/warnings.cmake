# The one list of warnings, and the sanitizers; linked by our own targets, never exported.
add_library(plumb-warnings INTERFACE)
target_compile_options(plumb-warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wold-style-cast
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>  # g++ 12 sees ghosts in inlined std::string destructors
  $<$<BOOL:${PLUMB_WERROR}>:-Werror>)
if(PLUMB_SANITIZE)
  target_compile_options(plumb-warnings INTERFACE -fsanitize=${PLUMB_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(plumb-warnings INTERFACE -fsanitize=${PLUMB_SANITIZE})
endif()
