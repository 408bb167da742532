/// Where numbers come from: versions, machine, threads.
#pragma once

#include <string>

namespace plumb {

struct Versions {
  std::string plumb;     // "0.1.0"
  std::string commit;    // of the sources, "unknown" outside a git checkout
  std::string compiler;  // "g++ 12.2.0"
  std::string libtorch;  // "1.13.0"
  std::string blas;      // what matrix products really use: "/usr/lib/libopenblas.so.0 (Haswell kernels)"
};

Versions versions();

/// The processor's model name, from the operating system; "unknown" when it does not say.
std::string processor_name();

/// Cores this process may use.
int available_cores();

/// "2026-01-31T12:00:00Z"
std::string timestamp();

}  // namespace plumb
