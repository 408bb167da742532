#include "plumb/experiment/provenance.hpp"

#include <filesystem>
#include <fstream>

#include <dlfcn.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <torch/version.h>

#include "plumb/core/version.hpp"

namespace plumb {
namespace {

/// The file that the symbol dgemm_ is bound to; with Debian's LibTorch that is libblas.so.3, whose target
/// tells OpenBLAS from the reference implementation, which is 20 to 50 times slower.
std::string blas_library() {
  void* symbol = ::dlsym(RTLD_DEFAULT, "dgemm_");
  Dl_info info{};
  if (symbol == nullptr || ::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr)
    return "inside LibTorch";
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : target.string();
}

}  // namespace

Versions versions() {
  return {kVersion, kCommit, fmt::format("g++ {}", __VERSION__), TORCH_VERSION, blas_library()};
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::string timestamp() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

}  // namespace plumb
