#define CATCH_CONFIG_RUNNER
#include <cstdlib>

#include "support/catch.hpp"
#include <ATen/Parallel.h>

int main(int argc, char** argv) {
#ifdef __SANITIZE_ADDRESS__
  // The shim of tests/faults is loaded before the sanitizer, and some tests ask for more memory than there
  // is.
  ::setenv("ASAN_OPTIONS", "verify_asan_link_order=0:allocator_may_return_null=1", /*overwrite=*/0);
#endif
  at::set_num_threads(1);  // results must not depend on the machine's core count
  return Catch::Session().run(argc, argv);
}
