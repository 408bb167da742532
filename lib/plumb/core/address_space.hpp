/// A bound on what a process may allocate.
#pragma once

#include <sys/resource.h>

namespace plumb {

/// While one exists, this process gets no more memory than the system has available at its beginning: what
/// asks for more fails, instead of being killed once it is written to.
class AddressSpaceLimit {
 public:
  AddressSpaceLimit();
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;
  ~AddressSpaceLimit();

 private:
  rlimit before_{};
};

}  // namespace plumb
