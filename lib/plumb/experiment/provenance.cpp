#include "plumb/experiment/provenance.hpp"

#include <fstream>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <torch/version.h>

#include "plumb/core/blas.hpp"
#include "plumb/core/version.hpp"

namespace plumb {
namespace {

std::string blas_text() {
  const BlasInUse blas = blas_in_use();
  return blas.kernels.empty() ? blas.library : fmt::format("{} ({} kernels)", blas.library, blas.kernels);
}

}  // namespace

Versions versions() {
  return {kVersion, kCommit, fmt::format("g++ {}", __VERSION__), TORCH_VERSION, blas_text()};
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
