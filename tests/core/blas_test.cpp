// Oracle: what the operating system says of the processor, and OpenBLAS itself in a process of its own.
#include "plumb/core/blas.hpp"

#include <fstream>
#include <sstream>

#include "support/catch.hpp"
#include <ATen/Parallel.h>
#include <dlfcn.h>

using namespace plumb;

namespace {

bool processor_has(const std::string& flag) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags")) {
  }
  std::istringstream words(line);
  for (std::string word; words >> word;)
    if (word == flag) return true;
  return false;
}

}  // namespace

TEST_CASE("only OpenBLAS's choice for an unknown processor is corrected, by what the processor has",
          "[core][blas]") {
  CHECK_FALSE(faster_openblas_kernels("").has_value());
  CHECK_FALSE(faster_openblas_kernels("Haswell").has_value());
  CHECK_FALSE(faster_openblas_kernels("Zen").has_value());
  const auto better = faster_openblas_kernels("Prescott");
  if (processor_has("avx512bw") && processor_has("avx512vl"))
    CHECK(better == "SkylakeX");
  else if (processor_has("avx2") && processor_has("fma"))
    CHECK(better == "Haswell");
  else
    CHECK_FALSE(better.has_value());
}

TEST_CASE("small matrices change the numbers of threads for as long as they last", "[core][blas]") {
  const auto blas_threads = reinterpret_cast<int (*)()>(::dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  const int blas_before = blas_threads == nullptr ? 0 : blas_threads();
  // 1 twice: LibTorch sets its number once more when it is first asked for it.
  for (const int threads : {1, 2, 1}) {
    at::set_num_threads(threads);
    {
      const OneBlasThread small(100), inner(50);
      if (blas_threads != nullptr) CHECK(blas_threads() == 1);
    }
    CHECK(at::get_num_threads() == threads);
    if (blas_threads == nullptr) continue;
    CHECK(blas_threads() == blas_before);
    const OneBlasThread large(5000);
    CHECK(blas_threads() == blas_before);
  }
  at::set_num_threads(1);
}

TEST_CASE("the library that multiplies matrices is named by its file", "[core][blas]") {
  const BlasInUse blas = blas_in_use();
  CHECK((blas.library == "inside LibTorch" || std::ifstream(blas.library).good()));
}
