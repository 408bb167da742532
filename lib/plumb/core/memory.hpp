/// Memory of the process and of the system.
#pragma once

#include <cstdint>

namespace plumb {

/// Keeps freed memory in the process instead of returning it to the system at once, from now on; with another
/// allocator than glibc's nothing changes. A training step frees and asks for the same large blocks over and
/// over: returned, each page of them is cleared and mapped anew in every step, a sixth of the time of a small
/// convolutional network.
void keep_freed_memory();

/// Bytes that the system can give to new processes without swapping; 4 GiB where it does not say.
int64_t available_memory();

}  // namespace plumb
