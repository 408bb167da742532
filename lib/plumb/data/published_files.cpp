#include "plumb/data/published_files.hpp"

#include <map>

#include "plumb/core/sha256.hpp"
#include "plumb/data/fetch.hpp"

namespace plumb {
namespace {

/// SHA-256 of inflated files, by name; as in Debian's package dataset-fashion-mnist 0.0~git20200523.55506a9.
const std::map<std::string, std::map<std::string, std::string>, std::less<>>& known_contents() {
  static const std::map<std::string, std::map<std::string, std::string>, std::less<>> known{
      {"fashion_mnist",
       {{"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
        {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
        {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
        {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}}}};
  return known;
}

}  // namespace

Published compare_with_published(const std::string& name, const std::filesystem::path& file,
                                 std::string_view contents) {
  Published answer = Published::unknown;
  std::string plain = file.filename().string();
  if (plain.ends_with(".gz") && !plain.ends_with(".tar.gz")) plain.resize(plain.size() - 3);
  if (const auto set = known_contents().find(name); set != known_contents().end())
    if (const auto known = set->second.find(plain); known != set->second.end()) {
      if (sha256_hex(contents) == known->second) return Published::yes;
      answer = Published::no;
    }
  for (const RemoteFile& remote : remote_files(name))
    if (remote.path.filename() == file.filename()) {
      if (sha256_of(file) == remote.sha256) return Published::yes;
      // A file compressed anew may hold the same; only an archive of several files is told by its bytes
      // alone.
      if (plain.ends_with(".tar.gz")) answer = Published::no;
    }
  return answer;
}

}  // namespace plumb
