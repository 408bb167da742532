// Oracle: the file system itself, read with std::ifstream.
#include "plumb/core/files.hpp"

#include <csignal>
#include <fstream>

#include "support/catch.hpp"
#include "support/files.hpp"
#include <sys/resource.h>

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Lets no file of this process grow past `bytes`: writing fails as it does on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("a file is replaced whole, or stays as it was", "[core][files]") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "a", "first");
  write_file_atomically(folder / "a", std::string("sec\0nd", 6));
  CHECK(contents(folder / "a") == std::string("sec\0nd", 6));
  CHECK(read_file(folder / "a") == std::string("sec\0nd", 6));
  {
    const FileSizeLimit limit(1000);
    CHECK_THROWS_WITH(write_file_atomically(folder / "a", std::string(5000, 'x')),
                      ContainsSubstring("cannot write"));
  }
  CHECK(contents(folder / "a") == std::string("sec\0nd", 6));
  // Nothing half-written is left behind.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("files can be forced to the disk later, by name", "[core][files]") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "a", "first", Flush::later);
  CHECK(contents(folder / "a") == "first");
  CHECK_NOTHROW(flush_files({folder / "a"}));
  CHECK_NOTHROW(flush_files({}));
  CHECK_THROWS_WITH(flush_files({folder / "a", folder / "b"}),
                    ContainsSubstring("b: cannot flush: No such file"));
}

TEST_CASE("reading says which file and why not", "[core][files]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(read_file(folder / "none"), ContainsSubstring("none: cannot read: No such file"));
  CHECK_THROWS_WITH(read_file(folder.path()), ContainsSubstring("is a folder"));
  CHECK_THROWS_AS(write_file_atomically(folder / "no" / "file", "x"), DataError);
  write_file_atomically(folder / "file", "x");
  CHECK_THROWS_WITH(make_directory(folder / "file"), ContainsSubstring("cannot make the folder"));
}

TEST_CASE("a file or a folder with all in it is removed, and what is not there is none", "[core][files]") {
  const test::TemporaryFolder folder;
  make_directory(folder / "a" / "b");
  write_file_atomically(folder / "a" / "b" / "c", "x");
  write_file_atomically(folder / "d", "x");
  remove_path(folder / "d");
  remove_path(folder / "a");
  remove_path(folder / "e");
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK_THROWS_WITH(remove_path("/proc/version"), ContainsSubstring("/proc/version: cannot remove"));
}

TEST_CASE("a growing file is cut back to where a run resumes", "[core][files]") {
  const test::TemporaryFolder folder;
  {
    AppendFile file(folder / "rows", 0);
    file.append("one\n");
    file.append("two\n");
    CHECK(file.length() == 8);
    file.sync();
  }
  {
    AppendFile file(folder / "rows", 4);
    file.append("three\n");
  }
  CHECK(contents(folder / "rows") == "one\nthree\n");
  CHECK_THROWS_WITH(AppendFile(folder / "rows", 100),
                    ContainsSubstring("holds 10 bytes; the checkpoint expects"));
  CHECK(contents(folder / "rows") == "one\nthree\n");
}

TEST_CASE("a growing file knows the checksum of what it holds", "[core][files]") {
  const test::TemporaryFolder folder;
  AppendFile file(folder / "rows", 0);
  CHECK(file.checksum() == 0);
  file.append("1234");
  file.append("56789");
  CHECK(file.checksum() == 0xcbf43926);  // the check value of CRC-32
  CHECK(AppendFile(folder / "rows", 9).checksum() == 0xcbf43926);
  CHECK_NOTHROW(AppendFile(folder / "rows", 9).expect_checksum(0xcbf43926));
  write_file_atomically(folder / "rows", "123456788");
  CHECK_THROWS_WITH(AppendFile(folder / "rows", 9).expect_checksum(0xcbf43926),
                    ContainsSubstring("rows: its first 9 bytes are not those that were written before"));
}
