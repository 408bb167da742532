#include "plumb/core/random.hpp"

#include <ATen/CPUGeneratorImpl.h>

namespace plumb {
namespace {

uint64_t splitmix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

uint64_t Seed::derive(std::string_view purpose) const {
  return splitmix64(splitmix64(value_) ^ fnv1a(purpose));
}

at::Generator Seed::stream(std::string_view purpose) const {
  return at::detail::createCPUGenerator(derive(purpose));
}

}  // namespace plumb
