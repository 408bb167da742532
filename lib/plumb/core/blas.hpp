/// The library that LibTorch's matrix products on the CPU go through, and whether it uses what the processor
/// has.
#pragma once

#include <cstdint>
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

/// While it lives, OpenBLAS works with one thread if a matrix has few `rows`: LAPACK shares out steps of a
/// small matrix that end before the second thread is awake. The eigenvalues of 160 x 160 take 0.9 ms with one
/// thread and 1.8 with two, a Cholesky factorization a ninth. Other libraries are left to decide themselves.
/// OpenBLAS's setting is that of the process: only for a thread that computes alone.
class OneBlasThread {
 public:
  explicit OneBlasThread(int64_t rows);
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  // Threads to go back to; 0: nothing was changed.
  int before_ = 0, openmp_before_ = 0;
};

}  // namespace plumb
