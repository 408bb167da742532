/// The library that LibTorch's matrix products on the CPU go through, and whether it uses what the processor
/// has.
#pragma once

#include <optional>
#include <string>

namespace plumb {

struct BlasInUse {
  std::string library;  // file that dgemm_ is bound to, links followed; "inside LibTorch" when it has its own
  std::string kernels;  // OpenBLAS's name of the processors it chose its code for: "Haswell"; else empty
};

BlasInUse blas_in_use();

/// A better value for OPENBLAS_CORETYPE than what OpenBLAS chose, `kernels`: a processor that is newer than
/// the library is taken for an early x86-64 one (Prescott), whose code is three to five times slower. None
/// when the choice is fine. OpenBLAS reads the variable when the process starts.
std::optional<std::string> faster_openblas_kernels(const std::string& kernels);

}  // namespace plumb
