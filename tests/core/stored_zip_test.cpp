// Oracle: libarchive, which reads what is written and writes what is to be refused; and files broken by hand
// at places that the format's description (APPNOTE.TXT) names.
#include "plumb/core/stored_zip.hpp"

#include <array>
#include <functional>
#include <map>

#include "support/catch.hpp"
#include <archive.h>
#include <archive_entry.h>

#include "plumb/core/bytes.hpp"
#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

const std::string long_data(1000, 'q');

std::vector<ZipEntry> three_entries() {
  return {make_zip_entry("a/data.pkl", "one"), make_zip_entry("a/data/0", long_data),
          make_zip_entry("a/empty", "")};
}

std::map<std::string, std::string> read_with_libarchive(std::string_view file) {
  std::map<std::string, std::string> contents;
  archive* reader = archive_read_new();
  archive_read_support_format_zip_seekable(reader);
  REQUIRE(archive_read_open_memory(reader, file.data(), file.size()) == ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::string data(static_cast<size_t>(archive_entry_size(entry)), '\0');
    CHECK(archive_read_data(reader, data.data(), data.size()) == static_cast<la_ssize_t>(data.size()));
    contents[archive_entry_pathname(entry)] = data;
  }
  CHECK(archive_errno(reader) == 0);
  archive_read_free(reader);
  return contents;
}

/// One entry "a/x", written by libarchive, which knows sizes only at the end and puts them behind the data.
std::string written_by_libarchive(const char* options, const std::string& data) {
  std::string file(data.size() + 10000, '\0');
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  REQUIRE(archive_write_set_options(writer, options) == ARCHIVE_OK);
  archive_write_set_bytes_in_last_block(writer, 1);
  REQUIRE(archive_write_open_memory(writer, file.data(), file.size(), &used) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "a/x");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_size(entry, static_cast<la_int64_t>(data.size()));
  REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
  REQUIRE(archive_write_data(writer, data.data(), data.size()) == static_cast<la_ssize_t>(data.size()));
  archive_entry_free(entry);
  archive_write_close(writer);
  archive_write_free(writer);
  file.resize(used);
  return file;
}

std::string refusal_of_zip(std::string_view file) {
  try {
    read_stored_zip(file);
  } catch (const DataError& error) {
    return error.what();
  }
  return "it was read";
}

template <class T>
void overwrite(std::string& file, size_t position, T value) {
  std::string bytes;
  append_little_endian(bytes, value);
  file.replace(position, bytes.size(), bytes);
}

constexpr size_t kEndLength = 22;

}  // namespace

TEST_CASE("libarchive reads the zip files that are written, whose data begin at multiples of 64",
          "[core][stored_zip]") {
  const std::string file = write_stored_zip(three_entries());
  CHECK(read_with_libarchive(file) ==
        std::map<std::string, std::string>{{"a/data.pkl", "one"}, {"a/data/0", long_data}, {"a/empty", ""}});
  for (const ZipEntry& entry : read_stored_zip(file)) CHECK((entry.data.data() - file.data()) % 64 == 0);
  CHECK(write_stored_zip({}).size() == kEndLength);
  CHECK(read_stored_zip(write_stored_zip({})).empty());
}

TEST_CASE("stored entries are read with their names and data in the file's order", "[core][stored_zip]") {
  const std::string file = write_stored_zip(three_entries());
  const std::vector<ZipEntry> entries = read_stored_zip(file);
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].name == "a/data.pkl");
  CHECK(entries[0].data == "one");
  CHECK(entries[0].crc == 0x7a6c86f1);  // of Python's zlib.crc32
  CHECK(entries[1].data == long_data);
  CHECK(entries[2].data.empty());
  CHECK(is_as_written(file, entries));
}

TEST_CASE("a zip file of many entries is written as zip64", "[core][stored_zip]") {
  std::vector<ZipEntry> entries;
  for (int i = 0; i < 70'000; ++i) entries.push_back(make_zip_entry("a/" + std::to_string(i), "x"));
  const std::string file = write_stored_zip(entries);
  CHECK(read_with_libarchive(file).size() == 70'000);
  CHECK(read_stored_zip(file).size() == 70'000);
  std::string broken = file;
  broken[file.size() - kEndLength - 20 - 56 + 24] ^= 1;  // the number of entries
  CHECK_THAT(refusal_of_zip(broken), ContainsSubstring("the end of its zip64 directory is damaged"));
  broken = file;
  broken[file.size() - kEndLength - 20 + 8] ^= 1;  // where the end of the directory is
  CHECK_THAT(refusal_of_zip(broken), ContainsSubstring("the locator of its zip64 directory is damaged"));
}

TEST_CASE("entries that are compressed, encrypted or twice there are refused by name", "[core][stored_zip]") {
  const std::string stored = written_by_libarchive("zip:compression=store", long_data);
  REQUIRE(read_stored_zip(stored).size() == 1);  // sizes behind the data are understood
  CHECK(read_stored_zip(stored)[0].data == long_data);
  CHECK_THAT(refusal_of_zip(written_by_libarchive("zip:compression=deflate", long_data)),
             ContainsSubstring("entry 'a/x' is compressed"));
  std::string encrypted = write_stored_zip(three_entries());
  encrypted[6] |= 1;
  encrypted[encrypted.find("PK\1\2") + 8] |= 1;
  CHECK_THAT(refusal_of_zip(encrypted), ContainsSubstring("entry 'a/data.pkl' is encrypted or damaged"));
  CHECK_THAT(refusal_of_zip(write_stored_zip({make_zip_entry("a/x", "1"), make_zip_entry("a/x", "2")})),
             ContainsSubstring("there are two entries 'a/x'"));
}

TEST_CASE("zip files that contradict themselves are refused", "[core][stored_zip]") {
  const std::string file = write_stored_zip(three_entries());
  const size_t directory = file.find("PK\1\2"), end = file.size() - kEndLength,
               second = file.find("PK\1\2", directory + 4);
  struct Case {
    std::string what, says;
    std::function<void(std::string&)> spoil;
  };
  const std::vector<Case> cases{
      {"a byte of an entry", "entry 'a/data/0' is damaged: its bytes have the CRC-32",
       [](std::string& f) { f[f.find("qqqq") + 7] = 'p'; }},
      {"both CRCs of an entry",
       "entry 'a/data.pkl' is damaged: its bytes have the CRC-32 7a6c86f1, not the recorded 00000007",
       [&](std::string& f) {
         overwrite(f, 14, uint32_t{7});
         overwrite(f, directory + 16, uint32_t{7});
       }},
      {"the CRC of the header", "its header is not what the directory says",
       [](std::string& f) { overwrite(f, 14, uint32_t{7}); }},
      {"the name in the header", "its header is not what the directory says",
       [](std::string& f) { f[30] = 'b'; }},
      {"the name in the directory", "its header is not what the directory says",
       [&](std::string& f) { f[directory + 46] = 'b'; }},
      {"the size in the directory", "the sizes of entry 'a/data.pkl' contradict",
       [&](std::string& f) { f[directory + 24] ^= 1; }},
      {"both sizes in the directory", "its header is not what the directory says",
       [&](std::string& f) {
         overwrite(f, directory + 20, uint32_t{2});
         overwrite(f, directory + 24, uint32_t{2});
       }},
      {"all sizes", "bytes that belong to no entry follow it",
       [&](std::string& f) {
         for (const size_t place : {size_t{18}, size_t{22}, directory + 20, directory + 24})
           overwrite(f, place, uint32_t{2});
       }},
      {"all sizes to four billion", "a header reaches beyond the end of the file",
       [&](std::string& f) {
         for (const size_t place : {size_t{18}, size_t{22}, directory + 20, directory + 24})
           overwrite(f, place, uint32_t{0xfffffffe});
       }},
      {"sizes of a zip64 field that is not there", "its header is not what the directory says",
       [&](std::string& f) {
         overwrite(f, directory + 20, uint32_t{0xffffffff});
         overwrite(f, directory + 24, uint32_t{0xffffffff});
       }},
      {"a padding that reaches over the end", "a header reaches beyond the end of the file",
       [](std::string& f) { overwrite(f, 28, uint16_t{0xffff}); }},
      {"two entries at one place", "entry 'a/data.pkl' does not lie between its neighbours",
       [&](std::string& f) { overwrite(f, second + 42, uint32_t{0}); }},
      {"an entry behind the file", "does not lie between its neighbours",
       [&](std::string& f) { overwrite(f, second + 42, uint32_t{0x7fffffff}); }},
      {"a gap before the first entry", "entry 'a/data.pkl' does not lie between its neighbours",
       [&](std::string& f) { overwrite(f, directory + 42, uint32_t{1}); }},
      {"fewer entries than there are", "its directory has more entries than its end says",
       [&](std::string& f) {
         overwrite(f, end + 8, uint16_t{2});
         overwrite(f, end + 10, uint16_t{2});
       }},
      {"more entries than there are", "its directory is too short for its entries",
       [&](std::string& f) {
         overwrite(f, end + 8, uint16_t{4});
         overwrite(f, end + 10, uint16_t{4});
       }},
      {"many more entries than there are", "its directory is too short for its entries",
       [&](std::string& f) {
         overwrite(f, end + 8, uint16_t{60000});
         overwrite(f, end + 10, uint16_t{60000});
       }},
      {"two numbers of entries", "the end of its directory is damaged",
       [&](std::string& f) { overwrite(f, end + 8, uint16_t{2}); }},
      {"a directory elsewhere", "its directory does not lie where its end says",
       [&](std::string& f) { overwrite(f, end + 16, uint32_t{0}); }},
      {"a directory behind the file", "its directory does not lie where its end says",
       [&](std::string& f) { overwrite(f, end + 16, uint32_t{0x7fffffff}); }},
      {"a comment", "its end is not that of a zip file", [](std::string& f) { f += "comment"; }},
      {"a comment that is announced", "the end of its directory is damaged",
       [&](std::string& f) { overwrite(f, end + 20, uint16_t{7}); }},
      {"a cut directory", "its end is not that of a zip file",
       [&](std::string& f) { f.resize(directory + 50); }},
      {"a directory without its last entry", "its directory does not lie where its end says",
       [&](std::string& f) { f.erase(second, 20); }},
      {"a byte too many before the directory", "its directory does not lie where its end says",
       [&](std::string& f) { f.insert(directory, 1, 'x'); }},
      {"nothing but an end", "its directory does not lie where its end says",
       [&](std::string& f) { f = f.substr(end); }},
      {"half an end", "too short for a zip file", [&](std::string& f) { f = f.substr(end + 2); }},
  };
  for (const Case& spoiled : cases) {
    INFO(spoiled.what);
    std::string broken = file;
    spoiled.spoil(broken);
    CHECK_THAT(refusal_of_zip(broken), ContainsSubstring(spoiled.says));
  }
}

TEST_CASE("no beginning of a zip file is a zip file", "[core][stored_zip]") {
  const std::string file = write_stored_zip(three_entries());
  for (size_t length = 0; length < file.size(); ++length)
    CHECK_THROWS_AS(read_stored_zip(file.substr(0, length)), DataError);
}
