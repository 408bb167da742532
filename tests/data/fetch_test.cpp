// Oracle: a server in this process whose file and habits are known, and checksums by the program sha256sum.
#include "plumb/data/fetch.hpp"

#include <array>
#include <thread>

#include "data/bytes.hpp"
#include "data/http_server.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using plumb::fetch_file;
using plumb::RemoteFile;
using plumb::test::data_error;
using plumb::test::HttpServer;
using plumb::test::read_bytes;
using plumb::test::TemporaryFolder;
using plumb::test::write_bytes;

namespace {

namespace fs = std::filesystem;

// printf 'the quick brown fox jumps over the lazy dog' | sha256sum
const std::string kContent = "the quick brown fox jumps over the lazy dog";
const std::string kSum = "05c6e08f1d9fdafa03147fcb8f82f124c76d2f70e3d989dc8aadb5e7d7450bec";

RemoteFile remote(const std::string& url) { return {"set/file.bin", {url}, 43, kSum}; }

/// The names in a folder; "nothing half-done is left" means that it is what it should be.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

std::string fetch_refusal(const RemoteFile& file, const fs::path& folder,
                          const plumb::FetchOptions& options = {}) {
  return data_error([&] { fetch_file(file, folder, options); });
}

}  // namespace

TEST_CASE("a file is downloaded, checked and not downloaded again", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  int64_t last = 0;
  const auto progress = [&](const std::string& name, int64_t received, int64_t total) {
    CHECK(name == "file.bin");
    CHECK(total == 43);
    CHECK(received >= last);
    last = received;
  };
  const fs::path path = fetch_file(remote(server.url()), folder.path(), {.progress = progress});
  CHECK(path == folder / "set/file.bin");
  CHECK(read_bytes(path) == kContent);
  CHECK(last == 43);
  CHECK(names_in(folder / "set") == std::vector<std::string>{"file.bin"});
  CHECK(fetch_file(remote(server.url()), folder.path()) == path);
  CHECK(server.requests().size() == 1);
  write_bytes(path, "the wrong content, of the same length as it");
  fetch_file(remote(server.url()), folder.path());
  CHECK(read_bytes(path) == kContent);
}

TEST_CASE("a file address works like a web address", "[data][fetch]") {
  const TemporaryFolder folder;
  write_bytes(folder / "there.bin", kContent);
  const std::string url = "file://" + (folder / "there.bin").string();
  CHECK(read_bytes(fetch_file(remote(url), folder.path())) == kContent);
  fs::remove(folder / "set/file.bin");
  write_bytes(folder / "set/file.bin.part", kContent.substr(0, 20));
  CHECK(read_bytes(fetch_file(remote(url), folder.path())) == kContent);
  CHECK_THAT(fetch_refusal(remote(url + "x"), folder / "other"), ContainsSubstring(url + "x: "));
}

TEST_CASE("a broken download is continued where it broke off", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent, .cut_after = 30});
  CHECK_THAT(fetch_refusal(remote(server.url()), folder.path()),
             ContainsSubstring("after 30 of 43 bytes; fetch again to continue"));
  CHECK(names_in(folder / "set") == std::vector<std::string>{"file.bin.part"});
  server.change({.content = kContent});
  CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
  CHECK_THAT(server.requests().back(), ContainsSubstring("Range: bytes=30-"));
  CHECK(names_in(folder / "set") == std::vector<std::string>{"file.bin"});
}

TEST_CASE("a server that ignores ranges is asked for the whole file", "[data][fetch]") {
  const TemporaryFolder folder;
  write_bytes(folder / "set/file.bin.part", kContent.substr(0, 10));
  HttpServer server({.content = kContent, .honors_ranges = false});
  CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
  CHECK(server.requests().size() == 2);
}

TEST_CASE("a complete or overlong partial file is not trusted but checked", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  SECTION("complete") {
    write_bytes(folder / "set/file.bin.part", kContent);
    CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
    CHECK(server.requests().empty());
  }
  SECTION("overlong") {
    write_bytes(folder / "set/file.bin.part", kContent + "!");
    CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
  }
  SECTION("wrong") {
    write_bytes(folder / "set/file.bin.part", "wrong");
    CHECK_THAT(fetch_refusal(remote(server.url()), folder.path()), ContainsSubstring("SHA-256"));
    CHECK(names_in(folder / "set").empty());
    CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
  }
}

TEST_CASE("a wrong checksum names both and leaves nothing", "[data][fetch]") {
  const TemporaryFolder folder;
  std::string other = kContent;
  other[0] = 'T';
  HttpServer server({.content = other});
  // printf 'The quick brown fox jumps over the lazy dog' | sha256sum
  CHECK(fetch_refusal(remote(server.url()), folder.path()) ==
        (folder / "set/file.bin").string() +
            ": the download has SHA-256 d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592; " +
            kSum + " is expected; it was removed");
  CHECK(names_in(folder / "set").empty());
}

TEST_CASE("an answer of another length is refused and leaves nothing", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = "not this"});
  CHECK(fetch_refusal(remote(server.url()), folder.path()) ==
        server.url() + ": answers with 8 bytes; 43 are expected");
  server.change({.content = std::string(1000, 'x')});
  CHECK(fetch_refusal(remote(server.url()), folder.path()) ==
        server.url() + ": answers with more bytes; 43 are expected");
  CHECK(names_in(folder / "set").empty());
}

TEST_CASE("an error of the server or the network names the address", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.status = 404});
  CHECK_THAT(fetch_refusal(remote(server.url()), folder.path()),
             ContainsSubstring(server.url() + ": ") && ContainsSubstring("404"));
  CHECK_THAT(fetch_refusal(remote("http://127.0.0.1:1/file"), folder.path()),
             ContainsSubstring("http://127.0.0.1:1/file: ") && ContainsSubstring("connect"));
  CHECK(names_in(folder / "set").empty());
}

TEST_CASE("the next place is tried when one fails", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer missing({.status = 404}), server({.content = kContent});
  RemoteFile file = remote(missing.url());
  file.urls.push_back(server.url());
  CHECK(read_bytes(fetch_file(file, folder.path())) == kContent);
  CHECK(missing.requests().size() == 1);
}

TEST_CASE("what the progress callback throws ends the download and comes out", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  CHECK_THROWS_WITH(fetch_file(remote(server.url()), folder.path(),
                               {.progress = [](const std::string&, int64_t,
                                               int64_t) { throw std::runtime_error("stop"); }}),
                    "stop");
  CHECK_FALSE(fs::exists(folder / "set/file.bin"));
}

TEST_CASE("a full disk is reported with its reason", "[data][fetch]") {
  if (!fs::exists("/dev/full")) {
    WARN("skipped: no /dev/full");
    return;
  }
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  fs::create_directory(folder / "set");
  fs::create_symlink("/dev/full", folder / "set/file.bin.part");
  CHECK_THAT(fetch_refusal(remote(server.url()), folder.path()),
             ContainsSubstring("file.bin.part: cannot write: No space left on device"));
  CHECK_FALSE(fs::exists(folder / "set/file.bin"));
}

TEST_CASE("a folder that may not be written is reported with its reason", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  fs::create_directory(folder / "set");
  ::chmod((folder / "set").c_str(), 0555);
  ::chmod(folder.path().c_str(), 0755);
  // Permissions do not bind root, who becomes nobody for the attempt.
  const uid_t user = ::geteuid();
  if (user == 0) REQUIRE(::seteuid(65534) == 0);
  const std::string refusal = fetch_refusal(remote(server.url()), folder.path());
  if (user == 0) REQUIRE(::seteuid(0) == 0);
  CHECK_THAT(refusal, ContainsSubstring("file.bin.part: cannot write: Permission denied"));
  write_bytes(folder / "a file", "");
  CHECK_THAT(fetch_refusal(remote(server.url()), folder / "a file"),
             ContainsSubstring("cannot make the folder"));
}

TEST_CASE("two downloads of one file do not mix", "[data][fetch]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent});
  write_bytes(folder / "set/file.bin.part", "the ");
  const int other = ::open((folder / "set/file.bin.part").c_str(), O_RDWR);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  CHECK_THAT(fetch_refusal(remote(server.url()), folder.path()),
             ContainsSubstring("another download is writing it"));
  ::close(other);
  CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
}

TEST_CASE("a download that crawls is given up and can be continued", "[data][fetch][faults]") {
  const TemporaryFolder folder;
  HttpServer server({.content = kContent, .pause = std::chrono::milliseconds(100)});
  CHECK_THAT(fetch_refusal(remote(server.url()), folder.path(), {.bytes_per_second = 100, .patience = 1}),
             ContainsSubstring("too slow") && ContainsSubstring("of 43 bytes; fetch again to continue"));
  const std::string part = read_bytes(folder / "set/file.bin.part");
  CHECK_FALSE(part.empty());
  CHECK(kContent.starts_with(part));
  server.change({.content = kContent});
  CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
  CHECK_THAT(server.requests().back(), ContainsSubstring("Range: bytes=" + std::to_string(part.size())));
}

TEST_CASE("a server that falls silent is given up", "[data][fetch][faults]") {
  const TemporaryFolder folder;
  const plumb::FetchOptions impatient{.bytes_per_second = 100, .patience = 1};
  HttpServer mute({.content = kContent, .after_request = HttpServer::Habits::says_no_word});
  CHECK_THAT(fetch_refusal(remote(mute.url()), folder.path(), impatient), ContainsSubstring("too slow"));
  HttpServer empty({.content = kContent, .after_request = HttpServer::Habits::no_body});
  CHECK_THAT(fetch_refusal(remote(empty.url()), folder.path(), impatient), ContainsSubstring("too slow"));
  CHECK(names_in(folder / "set").empty());
}

TEST_CASE("a server may send on to another one, but not to files of this machine, and not for ever",
          "[data][fetch][faults]") {
  const TemporaryFolder folder;
  HttpServer there({.content = kContent});
  HttpServer here({.redirect = there.url()});
  CHECK(read_bytes(fetch_file(remote(here.url()), folder.path())) == kContent);
  write_bytes(folder / "secret", kContent);
  here.change({.redirect = "file://" + (folder / "secret").string()});
  CHECK_THAT(fetch_refusal(remote(here.url()), folder / "other"), ContainsSubstring(here.url() + ": "));
  here.change({.redirect = here.url()});
  CHECK_THAT(fetch_refusal(remote(here.url()), folder / "other"), ContainsSubstring("redirects"));
}

TEST_CASE("a range other than the one asked for is not appended", "[data][fetch][faults]") {
  const TemporaryFolder folder;
  write_bytes(folder / "set/file.bin.part", kContent.substr(0, 10));
  HttpServer server({.content = kContent, .shift = 2});
  CHECK(read_bytes(fetch_file(remote(server.url()), folder.path())) == kContent);
}

TEST_CASE("of downloads that race for one file each ends with it, or says that another is at work",
          "[data][fetch][faults]") {
  HttpServer server({.content = kContent});
  for (int race = 0; race < 30; ++race) {
    const TemporaryFolder folder;
    std::array<std::string, 4> refusals;
    std::vector<std::thread> racers;
    for (std::string& refusal : refusals)
      racers.emplace_back([&] { refusal = fetch_refusal(remote(server.url()), folder.path()); });
    for (std::thread& racer : racers) racer.join();
    for (const std::string& refusal : refusals)
      REQUIRE((refusal == "no error" || refusal.find("another download is writing it") != std::string::npos));
    REQUIRE(read_bytes(folder / "set/file.bin") == kContent);
    REQUIRE(names_in(folder / "set") == std::vector<std::string>{"file.bin"});
  }
}

TEST_CASE("the known data sets are complete and an unknown one is refused", "[data][fetch]") {
  CHECK(plumb::remote_files("cifar10").size() == 1);
  for (const std::string name : {"cifar10", "mnist", "fashion_mnist"})
    for (const RemoteFile& file : plumb::remote_files(name)) {
      CHECK(file.sha256.size() == 64);
      CHECK(file.bytes > 0);
      CHECK_FALSE(file.urls.empty());
    }
  CHECK(plumb::remote_files("mnist").size() == 4);
  CHECK(plumb::remote_files("fashion_mnist").size() == 4);
  CHECK_THROWS_WITH(plumb::remote_files("cifar"), ContainsSubstring("did you mean 'cifar10'?"));
}

TEST_CASE("another address takes the place of the usual ones", "[data][fetch]") {
  const TemporaryFolder folder;
  CHECK_THAT(data_error([&] { plumb::fetch("mnist", folder.path(), {}, "http://127.0.0.1:1/mirror"); }),
             ContainsSubstring("http://127.0.0.1:1/mirror/train-images-idx3-ubyte.gz: "));
}
