#include "plumb/core/blas.hpp"

#include <filesystem>

#include <dlfcn.h>

namespace plumb {
namespace {

template <class Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

/// Null pointers where another library is in use.
struct ThreadSettings {
  int (*blas)() = loaded<int()>("openblas_get_num_threads");
  void (*set_blas)(int) = loaded<void(int)>("openblas_set_num_threads");
  int (*openmp)() = loaded<int()>("omp_get_max_threads");
  void (*set_openmp)(int) = loaded<void(int)>("omp_set_num_threads");
};

const ThreadSettings& thread_settings() {
  static const ThreadSettings settings;
  return settings;
}

}  // namespace

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

OneBlasThread::OneBlasThread(int64_t rows) {
  constexpr int64_t few = 640;  // two threads are faster from about 1,000 on
  const ThreadSettings& threads = thread_settings();
  if (rows > few || threads.blas == nullptr || threads.set_blas == nullptr || threads.blas() <= 1) return;
  before_ = threads.blas();
  if (threads.openmp != nullptr) openmp_before_ = threads.openmp();
  threads.set_blas(1);
}

OneBlasThread::~OneBlasThread() {
  if (before_ == 0) return;
  const ThreadSettings& threads = thread_settings();
  threads.set_blas(before_);
  // OpenBLAS tells OpenMP, which may have had another number.
  if (openmp_before_ > 0 && threads.set_openmp != nullptr) threads.set_openmp(openmp_before_);
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
