/// Any text is either refused with a ConfigError or read into a tree whose YAML reads back to the same tree.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plumb/core/config.hpp"
#include "plumb/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plumb::Config config;
  try {
    config = plumb::Config::parse({reinterpret_cast<const char*>(data), size});
  } catch (const plumb::ConfigError&) {
    return 0;
  }
  const std::string written = config.to_yaml();
  const plumb::Config again = plumb::Config::parse(written);
  if (again.to_line() != config.to_line() || again.to_yaml() != written) std::abort();
  return 0;
}
