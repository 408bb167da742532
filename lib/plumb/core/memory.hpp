/// Memory of the process and of the system.
#pragma once

#include <cstdint>
#include <string>

namespace plumb {

/// Keeps freed memory in the process instead of returning it to the system at once, from now on; with another
/// allocator than glibc's nothing changes. A training step frees and asks for the same large blocks over and
/// over: returned, each page of them is cleared and mapped anew in every step, a sixth of the time of a small
/// convolutional network.
void keep_freed_memory();

/// Bytes that the system can give to new processes without swapping (4 GiB where it does not say), or that
/// the control groups of this process have left, whichever is less: a container is killed by its own limit.
int64_t available_memory();

/// The least that is left in the control groups named by `membership` (the format of /proc/self/cgroup, both
/// versions) and in those around them, mounted at `root`; the largest number where none has a limit.
int64_t free_of_control_groups(const std::string& membership, const std::string& root);

}  // namespace plumb
