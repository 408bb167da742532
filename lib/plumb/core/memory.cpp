#include "plumb/core/memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace plumb {
namespace {

int64_t free_of_system() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  int64_t kibibytes = 0;
  while (meminfo >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    std::getline(meminfo, key);
  }
  return int64_t{4} << 30;
}

/// The number a file holds; none where there is no such file or it says "max".
std::optional<int64_t> number_in(const std::filesystem::path& file) {
  std::ifstream stream(file);
  int64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

/// What a "key number" file says of `key`; 0 where it says nothing.
int64_t number_of(const std::string& key, const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string word;
  int64_t number = 0;
  while (stream >> word >> number)
    if (word == key) return number;
  return 0;
}

}  // namespace

int64_t free_of_control_groups(const std::string& membership, const std::string& root) {
  int64_t least = std::numeric_limits<int64_t>::max();
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // "0::/path" is the second version's one hierarchy, "7:cpu,memory:/path" a hierarchy of the first.
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",memory,") == std::string::npos) continue;
    const std::filesystem::path base = unified ? root : root + "/memory";
    // A container may see its own group as the root.
    for (std::filesystem::path group = line.substr(second + 2);; group = group.parent_path()) {
      const auto limit = number_in(base / group / (unified ? "memory.max" : "memory.limit_in_bytes"));
      const auto used = number_in(base / group / (unified ? "memory.current" : "memory.usage_in_bytes"));
      // Copies of files count as used, and make room when asked for.
      const int64_t files =
          number_of(unified ? "inactive_file" : "total_inactive_file", base / group / "memory.stat");
      if (limit && used) least = std::min(least, std::max<int64_t>(0, *limit - *used + files));
      if (group.empty()) break;
    }
  }
  return least;
}

void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap too
  ::mallopt(M_TRIM_THRESHOLD, -1);  // and the heap does not shrink
#endif
}

int64_t available_memory() {
  return std::min(free_of_system(), free_of_control_groups("/proc/self/cgroup", "/sys/fs/cgroup"));
}

}  // namespace plumb
