// Oracle: Python's torch.load, where it is installed; else the values that were put in.
#include "plumb/core/archive.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <ATen/ATen.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using namespace plumb;

namespace {
Archive example() {
  Archive inner;
  inner.put("text", "a b");
  Archive archive;
  archive.put("tensor", at::arange(6, at::kDouble).reshape({2, 3}).t());  // not contiguous
  archive.put("count", int64_t{-7});
  archive.put("rate", 0.1);
  archive.put("inner", inner);
  return archive;
}
}  // namespace

TEST_CASE("an archive gives back what was put in", "[core][archive]") {
  const test::TemporaryFolder folder;
  example().save(folder / "a.pt");
  const Archive archive = Archive::load(folder / "a.pt");
  CHECK(archive.tensor("tensor").equal(example().tensor("tensor")));
  CHECK(archive.integer("count") == -7);
  CHECK(archive.number("rate") == 0.1);
  CHECK(archive.archive("inner").text("text") == "a b");
  CHECK_THROWS_WITH(archive.tensor("count"), ContainsSubstring("is not a tensor"));
  CHECK_THROWS_WITH(archive.tensor("none"), ContainsSubstring("has no entry 'none'"));
}

TEST_CASE("a slice is saved without the storage it is a view of", "[core][archive]") {
  const test::TemporaryFolder folder;
  Archive archive;
  archive.put("slice", at::zeros({1000000}).slice(0, 0, 10));
  archive.save(folder / "a.pt");
  CHECK(std::filesystem::file_size(folder / "a.pt") < 10000);
}

TEST_CASE("Python reads an archive as a dict", "[core][archive][python]") {
  const test::TemporaryFolder folder;
  example().save(folder / "a.pt");
  const std::string script =
      "import torch; a = torch.load('" + (folder / "a.pt").string() +
      "'); print(a['tensor'].tolist(), a['count'], a['rate'], a['inner']['text'], a['tensor'].dtype)";
  const auto result = test::run_program({"/usr/bin/python3", "-c", script});
  if (result.output.find("No module named 'torch'") != std::string::npos || result.status == 127) {
    WARN("python3-torch is not installed; not compared with it");
    return;
  }
  CHECK_THAT(result.output,
             ContainsSubstring("[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]] -7 0.1 a b torch.float64"));
}

TEST_CASE("a damaged archive is an error that names the file", "[core][archive]") {
  const test::TemporaryFolder folder;
  example().save(folder / "a.pt");
  const std::string bytes = read_file(folder / "a.pt");
  for (const size_t length : {size_t{0}, size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_atomically(folder / "b.pt", bytes.substr(0, length));
    CHECK_THROWS_AS(Archive::load(folder / "b.pt"), DataError);
  }
  write_file_atomically(folder / "b.pt", "not an archive at all");
  CHECK_THROWS_WITH(Archive::load(folder / "b.pt"), ContainsSubstring("b.pt"));
}
