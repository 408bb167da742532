// Oracle: processes that this test starts and ends itself, and the names left in a folder.
#include "plumb/core/replacement_file.hpp"

#include <csignal>
#include <fstream>
#include <set>

#include "support/catch.hpp"
#include "support/files.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using plumb::ReplacementFile;
using plumb::test::TemporaryFolder;

namespace {

std::set<std::string> names_left(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

void touch(const std::filesystem::path& file) { std::ofstream(file) << "half"; }

std::string this_host() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// The number of a process that has ended.
pid_t dead_process() {
  const pid_t process = ::fork();
  if (process == 0) ::_exit(0);
  ::waitpid(process, nullptr, 0);
  return process;
}

/// A process that sleeps until the end of the scope.
class Sleeper {
 public:
  Sleeper() : process(::fork()) {
    if (process == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  const pid_t process;
};

std::string part_name(pid_t process, const std::string& host) {
  return "model.pt." + std::to_string(process) + "-1@" + host + ".part";
}

/// As if `file` had been written yesterday.
void date_back(const std::filesystem::path& file) {
  const timespec yesterday{::time(nullptr) - 86400, 0};
  const timespec times[2] = {yesterday, yesterday};
  REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("what a dead process left half-written is removed, what a living one writes is not",
          "[core][files][faults]") {
  const TemporaryFolder folder;
  const Sleeper sleeper;
  const pid_t dead = dead_process();
  const std::string alive = part_name(sleeper.process, this_host()),
                    elsewhere = part_name(dead, "another-host"),
                    older_form = "model.pt." + std::to_string(dead) + ".part",
                    older_alive = "model.pt." + std::to_string(sleeper.process) + ".part";
  const std::set<std::string> stay{alive,        elsewhere,        older_alive,     "train.gz.part",
                                   "notes.part", "volume.12.part", "model.pt.part", "part"};
  for (const std::string& name : stay) touch(folder / name);
  touch(folder / part_name(dead, this_host()));
  touch(folder / older_form);
  plumb::remove_leftovers(folder.path());
  CHECK(names_left(folder.path()) == stay);
}

TEST_CASE("a process that got the number of a dead one does not keep its file", "[core][files][faults]") {
  const TemporaryFolder folder;
  const Sleeper sleeper;
  touch(folder / part_name(sleeper.process, this_host()));
  date_back(folder / part_name(sleeper.process, this_host()));
  touch(folder / part_name(::getpid(), this_host()));
  date_back(folder / part_name(::getpid(), this_host()));
  plumb::remove_leftovers(folder.path());
  CHECK(names_left(folder.path()).empty());
}

TEST_CASE("a process that has ended, but whose parent has not asked how, keeps no file",
          "[core][files][faults]") {
  const TemporaryFolder folder;
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  siginfo_t how;
  REQUIRE(::waitid(P_PID, static_cast<id_t>(ended), &how, WEXITED | WNOWAIT) == 0);
  touch(folder / part_name(ended, this_host()));
  plumb::remove_leftovers(folder.path());
  CHECK(names_left(folder.path()).empty());
  ::waitpid(ended, nullptr, 0);
}

TEST_CASE("a file that somebody holds is left, whoever has the number in its name", "[core][files][faults]") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / part_name(dead_process(), this_host());
  touch(file);
  const int held = ::open(file.c_str(), O_RDONLY);
  REQUIRE(::flock(held, LOCK_EX) == 0);
  plumb::remove_leftovers(folder.path());
  CHECK(std::filesystem::exists(file));
  ::close(held);
  plumb::remove_leftovers(folder.path());
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a file under way is not taken for a leftover, and its name goes with it",
          "[core][files][faults]") {
  const TemporaryFolder folder;
  {
    ReplacementFile file(folder / "model.pt");
    file.write("half");
    plumb::remove_leftovers(folder.path());
    CHECK(names_left(folder.path()).size() == 1);
    file.write(" and half");
    file.replace();
  }
  CHECK(names_left(folder.path()) == std::set<std::string>{"model.pt"});
  CHECK(plumb::read_file(folder / "model.pt") == "half and half");
  { ReplacementFile given_up(folder / "model.pt"); }
  CHECK(names_left(folder.path()) == std::set<std::string>{"model.pt"});
  const std::string long_name(250, 'n');
  plumb::write_file_atomically(folder / long_name, "x");
  CHECK(plumb::read_file(folder / long_name) == "x");
}

TEST_CASE("the first file that a process writes into a folder removes leftovers there",
          "[core][files][faults]") {
  const TemporaryFolder folder;
  touch(folder / part_name(dead_process(), this_host()));
  plumb::write_file_atomically(folder / "model.pt", "x");
  CHECK(names_left(folder.path()) == std::set<std::string>{"model.pt"});
}

TEST_CASE("files without a size are read to their end", "[core][files][faults]") {
  CHECK_THAT(plumb::read_file("/proc/self/status"), ContainsSubstring("VmRSS"));
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    std::ofstream(pipe) << std::string(200000, 'x');
    ::_exit(0);
  }
  CHECK(plumb::read_file(pipe) == std::string(200000, 'x'));
  ::waitpid(writer, nullptr, 0);
}
