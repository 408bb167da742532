// Oracle: files of a few images written byte by byte; for the real Fashion-MNIST, the counts its authors
// publish.
#include "plumb/data/idx_dataset.hpp"

#include "data/bytes.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include <torch/torch.h>

using plumb::Dataset;
using plumb::test::data_error;
using plumb::test::gzipped;
using plumb::test::idx_bytes;
using plumb::test::TemporaryFolder;
using plumb::test::write_bytes;

namespace {

namespace fs = std::filesystem;

/// Three training and two test images of 2 x 2.
std::map<std::string, std::string> small_set() {
  return {{"train-images-idx3-ubyte", idx_bytes({3, 2, 2}, "abcdefghijkl")},
          {"train-labels-idx1-ubyte", idx_bytes({3}, std::string("\x02\x00\x01", 3))},
          {"t10k-images-idx3-ubyte", idx_bytes({2, 2, 2}, "ABCDEFGH")},
          {"t10k-labels-idx1-ubyte", idx_bytes({2}, std::string("\x09\x03", 2))}};
}

void write_set(const fs::path& folder, const std::map<std::string, std::string>& files, bool compressed) {
  for (const auto& [name, bytes] : files)
    write_bytes(folder / (compressed ? name + ".gz" : name), compressed ? gzipped(bytes) : bytes);
}

Dataset read_set(const std::string& name, const fs::path& folder) {
  return plumb::datasets().at(name)->make({folder});
}

void check_small_set(const Dataset& dataset) {
  CHECK(dataset.train.inputs.sizes() == at::IntArrayRef({3, 1, 2, 2}));
  CHECK(dataset.train.inputs.scalar_type() == at::kByte);
  CHECK(dataset.train.inputs[2][0][1][0].item<int>() == 'k');
  CHECK(dataset.test.inputs[0][0][0][1].item<int>() == 'B');
  CHECK(dataset.train.targets.equal(torch::tensor({2, 0, 1}, at::kLong)));
  CHECK(dataset.test.targets.equal(torch::tensor({9, 3}, at::kLong)));
  CHECK(dataset.num_classes == 10);
  CHECK(dataset.class_names.size() == 10);
}

}  // namespace

TEST_CASE("MNIST and Fashion-MNIST are read from their folders, plain or compressed", "[data][mnist]") {
  const TemporaryFolder folder;
  SECTION("plain in a folder of its own") {
    write_set(folder / "mnist", small_set(), false);
    check_small_set(read_set("mnist", folder.path()));
  }
  SECTION("compressed in a folder of its own") {
    write_set(folder / "fashion-mnist", small_set(), true);
    check_small_set(read_set("fashion_mnist", folder.path()));
  }
  SECTION("in the data folder itself") {
    write_set(folder.path(), small_set(), true);
    check_small_set(read_set("mnist", folder.path()));
    check_small_set(read_set("fashion_mnist", folder.path()));
  }
}

TEST_CASE("a set that does not fit together is refused with the file's name", "[data][mnist]") {
  const TemporaryFolder folder;
  auto files = small_set();
  const auto refusal = [&] {
    write_set(folder.path(), files, false);
    return data_error([&] { read_set("mnist", folder.path()); });
  };
  SECTION("fewer labels than images") {
    files["train-labels-idx1-ubyte"] = idx_bytes({2}, std::string("\0\0", 2));
    CHECK_THAT(refusal(), ContainsSubstring("train-labels-idx1-ubyte: holds 2 labels") &&
                              ContainsSubstring("train-images-idx3-ubyte holds 3 images"));
  }
  SECTION("a label that names no class") {
    files["t10k-labels-idx1-ubyte"] = idx_bytes({2}, "\x01\x0a");
    CHECK_THAT(refusal(), ContainsSubstring(
                              "t10k-labels-idx1-ubyte: label 10 of example 1; labels 0 to 9 are expected"));
  }
  SECTION("labels in place of images") {
    files["train-images-idx3-ubyte"] = files["train-labels-idx1-ubyte"];
    CHECK_THAT(refusal(), ContainsSubstring("train-images-idx3-ubyte: has 1 dimensions; 3 are expected"));
  }
  SECTION("test images of another size") {
    files["t10k-images-idx3-ubyte"] = idx_bytes({2, 1, 2}, "ABCD");
    CHECK_THAT(refusal(), ContainsSubstring("training images are 2 x 2, test images 1 x 2"));
  }
  SECTION("a truncated file") {
    files["train-images-idx3-ubyte"].pop_back();
    CHECK_THAT(refusal(), ContainsSubstring("train-images-idx3-ubyte: holds 11 values"));
  }
  SECTION("a missing file") {
    files.erase("t10k-labels-idx1-ubyte");
    CHECK_THAT(refusal(), ContainsSubstring("t10k-labels-idx1-ubyte.gz: cannot read"));
  }
}

TEST_CASE("a missing MNIST says where it was looked for and how to get it", "[data][mnist]") {
  const TemporaryFolder folder;
  CHECK_THAT(data_error([&] { read_set("mnist", folder.path()); }),
             ContainsSubstring("MNIST is not there; looked for train-images-idx3-ubyte[.gz] in " +
                               (folder / "mnist").string()) &&
                 ContainsSubstring("plumb fetch mnist"));
}

TEST_CASE("the installed Fashion-MNIST has ten classes of equal size", "[data][fashion_mnist]") {
  if (!fs::exists("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")) {
    WARN("skipped: the package dataset-fashion-mnist is not installed");
    return;
  }
  const TemporaryFolder folder;
  const Dataset dataset = read_set("fashion_mnist", folder.path());
  CHECK(dataset.train.inputs.sizes() == at::IntArrayRef({60000, 1, 28, 28}));
  CHECK(dataset.test.inputs.sizes() == at::IntArrayRef({10000, 1, 28, 28}));
  CHECK(dataset.train.targets.bincount().equal(torch::full({10}, 6000, at::kLong)));
  CHECK(dataset.test.targets.bincount().equal(torch::full({10}, 1000, at::kLong)));
  CHECK(dataset.train.targets[0].item<int>() == 9);  // an ankle boot
  CHECK(dataset.notes.empty());  // the published images, though Debian compressed them anew
  // The mean and deviation in use since the set appeared: 0.2860 and 0.3530 (Xiao et al. 2017, read by
  // torchvision).
  const auto pixels = dataset.train.inputs.to(at::kDouble).div(255);
  CHECK(pixels.mean().item<double>() == Approx(0.2860).margin(5e-5));
  CHECK(pixels.std().item<double>() == Approx(0.3530).margin(5e-5));
}

TEST_CASE("files that are not the published ones are noted, whichever way they are compressed",
          "[data][mnist]") {
  const TemporaryFolder folder;
  write_set(folder / "fashion-mnist", small_set(), GENERATE(true, false));
  const Dataset dataset = read_set("fashion_mnist", folder.path());
  REQUIRE(dataset.notes.size() == 4);
  CHECK_THAT(dataset.notes[0], ContainsSubstring("train-images-idx3-ubyte"));
  CHECK_THAT(dataset.notes[0], ContainsSubstring("is not the file of Fashion-MNIST that was published"));
}

TEST_CASE("a test set that is the training set is refused", "[data][mnist]") {
  const TemporaryFolder folder;
  auto files = small_set();
  files["t10k-images-idx3-ubyte"] = files["train-images-idx3-ubyte"];
  files["t10k-labels-idx1-ubyte"] = files["train-labels-idx1-ubyte"];
  write_set(folder / "mnist", files, false);
  CHECK_THAT(data_error([&] { read_set("mnist", folder.path()); }),
             ContainsSubstring("train-images-idx3-ubyte and t10k-images-idx3-ubyte hold the same images"));
}
