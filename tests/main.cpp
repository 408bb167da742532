#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"
#include <ATen/Parallel.h>

int main(int argc, char** argv) {
  at::set_num_threads(1);  // results must not depend on the machine's core count
  return Catch::Session().run(argc, argv);
}
