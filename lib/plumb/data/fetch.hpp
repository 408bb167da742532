/// Downloads data sets and checks them: complete and right, or not there at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace plumb {

/// A file that can be downloaded, and how to tell that it is right.
struct RemoteFile {
  std::filesystem::path path;     // where it goes, relative to the data folder
  std::vector<std::string> urls;  // tried in order
  int64_t bytes = 0;
  std::string sha256;  // 64 lower-case hexadecimal digits
};

/// Called now and then with the file's name, the bytes there are and the bytes there will be. What it throws
/// ends the download and comes out of fetch().
using FetchProgress = std::function<void(const std::string& file, int64_t received, int64_t total)>;

struct FetchOptions {
  FetchProgress progress = {};  // may be empty
  // A connection that gives less than this for so long is given up: it is dead, or would take days.
  int64_t bytes_per_second = 1024;
  int64_t patience = 30;  // seconds
};

/// The files of a data set: cifar10, fashion_mnist or mnist. Throws ConfigError for another name.
std::vector<RemoteFile> remote_files(const std::string& name);

/// Downloads a data set into `folder` and returns the paths of its files. With `url`, takes the files from
/// there (a mirror: the file's name is appended) instead of the usual places. Throws as fetch_file does.
std::vector<std::filesystem::path> fetch(const std::string& name, const std::filesystem::path& folder,
                                         const FetchOptions& options = {}, const std::string& url = {});

/// Downloads one file to folder/file.path, unless it is already there and right. It grows as <name>.part, is
/// resumed by a later call after an interruption, and takes its final name only with the right size and
/// SHA-256. Throws DataError naming what went wrong: no network, an answer other than the file, a broken
/// or crawling connection, a wrong checksum (both are named and the .part is removed), a folder that cannot
/// be written, a full disk, another download under way.
std::filesystem::path fetch_file(const RemoteFile& file, const std::filesystem::path& folder,
                                 const FetchOptions& options = {});

/// The SHA-256 of a file in hexadecimal. Throws DataError when it cannot be read.
std::string sha256_of(const std::filesystem::path& file);

}  // namespace plumb
