// Oracle: files written by hand in the formats that Linux documents for both versions of control groups.
#include "plumb/core/memory.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/files.hpp"

using namespace plumb;

namespace {

void put(const std::filesystem::path& file, const std::string& text) {
  make_directory(file.parent_path());
  write_file_atomically(file, text);
}

}  // namespace

TEST_CASE("what control groups have left is the least of a group and those around it", "[core][memory]") {
  const test::TemporaryFolder folder;
  const std::string root = (folder / "cgroup").string(), membership = (folder / "membership").string();
  constexpr int64_t unlimited = std::numeric_limits<int64_t>::max();
  CHECK(free_of_control_groups(membership, root) == unlimited);
  SECTION("second version") {
    put(membership, "0::/user/job\n");
    put(folder / "cgroup/user/job/memory.max", "max\n");
    put(folder / "cgroup/user/job/memory.current", "1000\n");
    CHECK(free_of_control_groups(membership, root) == unlimited);
    put(folder / "cgroup/user/memory.max", "5000\n");
    put(folder / "cgroup/user/memory.current", "3000\n");
    CHECK(free_of_control_groups(membership, root) == 2000);
    put(folder / "cgroup/user/job/memory.max", "1500\n");
    CHECK(free_of_control_groups(membership, root) == 500);
    put(folder / "cgroup/user/job/memory.current", "1600\n");
    CHECK(free_of_control_groups(membership, root) == 0);
    put(folder / "cgroup/user/job/memory.stat", "anon 700\ninactive_file 900\nactive_file 0\n");
    CHECK(free_of_control_groups(membership, root) == 800);
  }
  SECTION("first version, and a container that sees its group as the root") {
    put(membership, "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n");
    put(folder / "cgroup/memory/memory.limit_in_bytes", "8000\n");
    put(folder / "cgroup/memory/memory.usage_in_bytes", "1000\n");
    CHECK(free_of_control_groups(membership, root) == 7000);
  }
}

TEST_CASE("available memory is a positive number of bytes below an exbibyte", "[core][memory]") {
  CHECK(available_memory() > 0);
  CHECK(available_memory() < int64_t{1} << 60);
}
