#include <fmt/format.h>

#include "plumb/core/config.hpp"
#include "plumb/core/error.hpp"
#include "plumb/data/fetch.hpp"

namespace plumb {
namespace {

struct KnownFile {
  const char* name;
  int64_t bytes;
  const char* sha256;
};

std::vector<RemoteFile> known_files(const std::filesystem::path& folder,
                                    const std::vector<std::string>& places,
                                    const std::vector<KnownFile>& known) {
  std::vector<RemoteFile> files;
  for (const KnownFile& file : known) {
    RemoteFile& remote = files.emplace_back();
    remote.path = folder / file.name;
    for (const std::string& place : places) remote.urls.push_back(place + file.name);
    remote.bytes = file.bytes;
    remote.sha256 = file.sha256;
  }
  return files;
}

}  // namespace

std::vector<RemoteFile> remote_files(const std::string& name) {
  if (name == "cifar10")
    return known_files("", {"https://www.cs.toronto.edu/~kriz/"},
                       {{"cifar-10-binary.tar.gz", 170052171,
                         "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}});
  if (name == "fashion_mnist")
    return known_files(
        "fashion-mnist",
        {"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
         "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
        {{"train-images-idx3-ubyte.gz", 26421880,
          "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
         {"train-labels-idx1-ubyte.gz", 29515,
          "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
         {"t10k-images-idx3-ubyte.gz", 4422102,
          "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
         {"t10k-labels-idx1-ubyte.gz", 5148,
          "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}});
  if (name == "mnist")
    return known_files("mnist",
                       {"https://storage.googleapis.com/cvdf-datasets/mnist/",
                        "https://ossci-datasets.s3.amazonaws.com/mnist/"},
                       {{"train-images-idx3-ubyte.gz", 9912422,
                         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
                        {"train-labels-idx1-ubyte.gz", 28881,
                         "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
                        {"t10k-images-idx3-ubyte.gz", 1648877,
                         "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
                        {"t10k-labels-idx1-ubyte.gz", 4542,
                         "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}});
  throw ConfigError(
      fmt::format("'{}' cannot be fetched{}", name, suggestion(name, {"cifar10", "fashion_mnist", "mnist"})));
}

}  // namespace plumb
