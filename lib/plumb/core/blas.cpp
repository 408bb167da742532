#include "plumb/core/blas.hpp"

#include <filesystem>

#include <dlfcn.h>

namespace plumb {

BlasInUse blas_in_use() {
  BlasInUse blas{"inside LibTorch", ""};
  // With Debian's LibTorch the symbol is that of libblas.so.3, whose target tells OpenBLAS from the reference
  // implementation, which is 20 to 50 times slower.
  void* symbol = ::dlsym(RTLD_DEFAULT, "dgemm_");
  Dl_info info{};
  if (symbol != nullptr && ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::canonical(info.dli_fname, error);
    blas.library = error ? info.dli_fname : target.string();
  }
  using CoreName = char* (*)();
  if (const auto name = reinterpret_cast<CoreName>(::dlsym(RTLD_DEFAULT, "openblas_get_corename")))
    blas.kernels = name();
  return blas;
}

std::optional<std::string> faster_openblas_kernels(const std::string& kernels) {
#ifdef __x86_64__
  if (kernels != "Prescott") return std::nullopt;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return std::nullopt;
}

}  // namespace plumb
