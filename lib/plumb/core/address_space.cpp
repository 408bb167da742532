#include "plumb/core/address_space.hpp"

#include <algorithm>
#include <fstream>

#include <unistd.h>

#include "plumb/core/memory.hpp"

namespace plumb {

AddressSpaceLimit::AddressSpaceLimit() {
  ::getrlimit(RLIMIT_AS, &before_);
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  if (!(statm >> pages)) return;
  const rlim_t mapped = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
  rlimit limit = before_;
  limit.rlim_cur = std::min(before_.rlim_cur, mapped + static_cast<rlim_t>(available_memory()));
  ::setrlimit(RLIMIT_AS, &limit);
}

AddressSpaceLimit::~AddressSpaceLimit() { ::setrlimit(RLIMIT_AS, &before_); }

}  // namespace plumb
