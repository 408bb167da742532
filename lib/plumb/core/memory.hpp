/// What the process does with memory that tensors give back.
#pragma once

namespace plumb {

/// Keeps freed memory in the process instead of returning it to the system at once, from now on; with another
/// allocator than glibc's nothing changes. A training step frees and asks for the same large blocks over and
/// over: returned, each page of them is cleared and mapped anew in every step, a sixth of the time of a small
/// convolutional network.
void keep_freed_memory();

}  // namespace plumb
