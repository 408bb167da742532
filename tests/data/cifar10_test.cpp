// Oracle: files of a few records written byte by byte, the value of each pixel known from its position.
#include "data/bytes.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include <archive.h>
#include <archive_entry.h>
#include <torch/torch.h>

#include "plumb/data/cifar_records.hpp"
#include "plumb/data/dataset.hpp"

using plumb::CifarRecords;
using plumb::Dataset;
using plumb::test::cifar_record;
using plumb::test::data_error;
using plumb::test::TemporaryFolder;
using plumb::test::write_bytes;

namespace {

namespace fs = std::filesystem;

/// Two records in the first training file, one in each other: labels 0 1 | 2 | 3 | 4 | 5, test 9 and 8.
std::map<std::string, std::string> small_cifar() {
  std::map<std::string, std::string> files;
  files["data_batch_1.bin"] = cifar_record(0, 0) + cifar_record(1, 10);
  for (int i = 2; i <= 5; ++i) files["data_batch_" + std::to_string(i) + ".bin"] = cifar_record(i, 10 * i);
  files["test_batch.bin"] = cifar_record(9, 90) + cifar_record(8, 80);
  return files;
}

void write_folder(const fs::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) write_bytes(folder / name, bytes);
}

/// cifar-10-binary.tar.gz as the original is: members under a folder, in no particular order.
void write_archive(const fs::path& file, const std::map<std::string, std::string>& files) {
  archive* out = archive_write_new();
  archive_write_add_filter_gzip(out);
  archive_write_set_format_ustar(out);
  REQUIRE(archive_write_open_filename(out, file.c_str()) == ARCHIVE_OK);
  for (auto member = files.rbegin(); member != files.rend(); ++member) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, ("cifar-10-batches-bin/" + member->first).c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(member->second.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, member->second.data(), member->second.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
}

Dataset read_cifar10(const fs::path& folder) { return plumb::datasets().at("cifar10")->make({folder}); }

std::string cifar_refusal(const fs::path& folder) {
  return data_error([&] { read_cifar10(folder); });
}

void check_small_cifar(const Dataset& dataset) {
  CHECK(dataset.num_classes == 10);
  CHECK(dataset.train.inputs.sizes() == at::IntArrayRef({6, 3, 32, 32}));
  CHECK(dataset.train.inputs.scalar_type() == at::kByte);
  CHECK(dataset.train.targets.equal(torch::arange(6)));
  CHECK(dataset.test.targets.equal(torch::tensor({9, 8}, at::kLong)));
  // Position of (channel c, row y, column x): 1024 c + 32 y + x, on top of each record's first value.
  for (const auto& [example, first] : {std::pair{0, 0}, {1, 10}, {5, 50}})
    CHECK(dataset.train.inputs[example][2][3][4].item<int>() == (first + 2048 + 96 + 4) % 256);
  CHECK(dataset.test.inputs[1][1][0][31].item<int>() == (80 + 1024 + 31) % 256);
}

}  // namespace

TEST_CASE("records of any number give labels and pixels", "[data][cifar10]") {
  const std::string bytes = cifar_record(7, 3) + cifar_record(9, 250);
  const CifarRecords records(bytes, "a.bin");
  CHECK(records.size() == 2);
  CHECK(records.label(1) == 9);
  CHECK(records.pixels(1).size() == 3072);
  CHECK(static_cast<uint8_t>(records.pixels(1)[10]) == 4);
}

TEST_CASE("CIFAR-10 files that are empty, truncated or mislabelled are refused", "[data][cifar10]") {
  const auto refusal = [](const std::string& bytes) {
    return data_error([&] { CifarRecords(bytes, "a.bin"); });
  };
  CHECK(refusal("") == "a.bin: is empty; CIFAR-10 records of 3073 bytes are expected");
  CHECK(refusal(cifar_record(1, 1).substr(1)) ==
        "a.bin: holds 3072 bytes, 0 records and 3072 bytes more; a whole number of CIFAR-10 records of 3073 "
        "bytes is "
        "expected");
  CHECK_THAT(refusal(cifar_record(1, 1) + "x"), ContainsSubstring("1 records and 1 bytes more"));
  CHECK(refusal(cifar_record(1, 1) + cifar_record(10, 1)) ==
        "a.bin: record 1 has label 10 at byte 3073; labels 0 to 9 are expected");
  CHECK_THAT(refusal(cifar_record(255, 1)), ContainsSubstring("label 255 at byte 0"));
}

TEST_CASE("CIFAR-10 is found as a folder, beside other files and as the archive", "[data][cifar10]") {
  const TemporaryFolder folder;
  SECTION("in its own folder") {
    write_folder(folder / "cifar-10-batches-bin", small_cifar());
    check_small_cifar(read_cifar10(folder.path()));
  }
  SECTION("in the data folder itself") {
    write_folder(folder.path(), small_cifar());
    check_small_cifar(read_cifar10(folder.path()));
  }
  SECTION("packed") {
    write_archive(folder / "cifar-10-binary.tar.gz", small_cifar());
    check_small_cifar(read_cifar10(folder.path()));
  }
  SECTION("where the option says") {
    write_folder(folder / "elsewhere", small_cifar());
    auto entry = plumb::datasets().at("cifar10");
    const plumb::Config config = plumb::Config::parse("path: elsewhere");
    plumb::FieldReader reader(config);
    entry->fields(reader);
    check_small_cifar(entry->make({folder.path()}));
  }
}

TEST_CASE("class names come from the file when there is one", "[data][cifar10]") {
  const TemporaryFolder folder;
  auto files = small_cifar();
  write_folder(folder.path(), files);
  CHECK(read_cifar10(folder.path()).class_names.at(3) == "cat");
  write_bytes(folder / "batches.meta.txt", "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  CHECK(read_cifar10(folder.path()).class_names ==
        std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  write_bytes(folder / "batches.meta.txt", "a\nb\n");
  CHECK_THAT(cifar_refusal(folder.path()),
             ContainsSubstring("batches.meta.txt: names 2 classes; CIFAR-10 has 10"));
}

TEST_CASE("a missing CIFAR-10 says where it was looked for and how to get it", "[data][cifar10]") {
  const TemporaryFolder folder;
  const std::string place = folder.path().string();
  CHECK(cifar_refusal(folder.path()) ==
        place +
            ": CIFAR-10 is not there; looked for cifar-10-batches-bin/data_batch_1.bin, data_batch_1.bin and "
            "cifar-10-binary.tar.gz; get it with `plumb fetch cifar10 --data " +
            place + "`");
}

TEST_CASE("an incomplete or damaged CIFAR-10 names the file", "[data][cifar10]") {
  const TemporaryFolder folder;
  auto files = small_cifar();
  SECTION("a file is missing") {
    files.erase("data_batch_4.bin");
    write_folder(folder.path(), files);
    CHECK_THAT(cifar_refusal(folder.path()), ContainsSubstring("data_batch_4.bin: cannot read"));
  }
  SECTION("a file is truncated") {
    files["test_batch.bin"].pop_back();
    write_folder(folder.path(), files);
    CHECK_THAT(cifar_refusal(folder.path()), ContainsSubstring("test_batch.bin: holds 6145 bytes"));
  }
  SECTION("the archive lacks a file") {
    files.erase("data_batch_4.bin");
    write_archive(folder / "cifar-10-binary.tar.gz", files);
    CHECK_THAT(cifar_refusal(folder.path()), ContainsSubstring("the archive has no data_batch_4.bin"));
  }
  SECTION("the archive is cut") {
    write_archive(folder / "cifar-10-binary.tar.gz", small_cifar());
    fs::resize_file(folder / "cifar-10-binary.tar.gz", fs::file_size(folder / "cifar-10-binary.tar.gz") / 2);
    CHECK_THAT(cifar_refusal(folder.path()),
               ContainsSubstring("cifar-10-binary.tar.gz: cannot read the archive"));
  }
  SECTION("the archive is something else") {
    write_bytes(folder / "cifar-10-binary.tar.gz", "<html>not found</html>");
    CHECK_THAT(cifar_refusal(folder.path()),
               ContainsSubstring("cifar-10-binary.tar.gz: cannot read the archive"));
  }
}

TEST_CASE("a set in which some files are whole and others are not is refused, a small one is noted",
          "[data][cifar10]") {
  const auto records = [](int count, int first) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += cifar_record(i % 10, first + i);
    return bytes;
  };
  const TemporaryFolder folder;
  std::map<std::string, std::string> files = small_cifar();
  write_folder(folder.path(), files);
  const Dataset small = read_cifar10(folder.path());
  REQUIRE(small.notes.size() == 1);
  CHECK_THAT(small.notes[0],
             ContainsSubstring("not the whole of CIFAR-10, whose files hold 10000 records each"));
  CHECK_THAT(small.notes[0], ContainsSubstring("data_batch_1.bin holds 2 records"));
  // Five thousand records instead of ten: a whole number of them, and half of the file is missing.
  write_bytes(folder / "data_batch_1.bin", records(10000, 0));
  write_bytes(folder / "data_batch_3.bin", records(5000, 3));
  CHECK_THAT(cifar_refusal(folder.path()), ContainsSubstring("data_batch_3.bin holds 5000 records"));
  CHECK_THAT(cifar_refusal(folder.path()), ContainsSubstring("each file of CIFAR-10 holds 10000"));
}

TEST_CASE("a CIFAR-10 file that is a copy of another is refused", "[data][cifar10]") {
  const TemporaryFolder folder;
  std::map<std::string, std::string> files = small_cifar();
  const std::string copy = GENERATE(as<std::string>{}, "data_batch_4.bin", "test_batch.bin");
  files[copy] = files["data_batch_2.bin"];
  if (GENERATE(true, false))
    write_folder(folder.path(), files);
  else
    write_archive(folder / "cifar-10-binary.tar.gz", files);
  CHECK_THAT(cifar_refusal(folder.path()),
             ContainsSubstring("data_batch_2.bin and " + copy + " hold the same records"));
}

TEST_CASE("an archive that is not the published one is noted", "[data][cifar10]") {
  const TemporaryFolder folder;
  write_archive(folder / "cifar-10-binary.tar.gz", small_cifar());
  const Dataset dataset = read_cifar10(folder.path());
  REQUIRE(dataset.notes.size() == 2);
  CHECK_THAT(dataset.notes[0],
             ContainsSubstring("cifar-10-binary.tar.gz: is not the archive that was published"));
}
