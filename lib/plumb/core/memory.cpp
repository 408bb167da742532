#include "plumb/core/memory.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace plumb {

void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap too
  ::mallopt(M_TRIM_THRESHOLD, -1);  // and the heap does not shrink
#endif
}

}  // namespace plumb
