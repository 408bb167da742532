#include "plumb/data/idx_dataset.hpp"

namespace plumb {
namespace {

struct FashionMnistOptions {
  std::string path;

  void fields(Fields& f) {
    f.field("path", path,
            "folder of the four IDX files, relative to the data folder; empty: looked for there", {});
  }
};

Dataset make_fashion_mnist(const FashionMnistOptions& options, const DataContext& context) {
  IdxPlaces places{.title = "Fashion-MNIST",
                   .fetch_name = "fashion_mnist",
                   // The last is where the Debian package dataset-fashion-mnist puts it.
                   .folders = {context.folder / "fashion-mnist", context.folder / "FashionMNIST" / "raw",
                               context.folder, "/usr/share/datasets/fashion-mnist"},
                   .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                   "Sneaker", "Bag", "Ankle boot"}};
  if (!options.path.empty()) places.folders = {context.folder / options.path};
  return read_idx_dataset(places);
}

}  // namespace

PLUMB_REGISTER(Datasets, fashion_mnist, FashionMnistOptions, make_fashion_mnist,
               "Fashion-MNIST: 60,000 + 10,000 gray images 28 x 28, 10 classes (Xiao et al. 2017)")

}  // namespace plumb
