#include "plumb/data/idx_dataset.hpp"

namespace plumb {
namespace {

struct MnistOptions {
  std::string path;

  void fields(Fields& f) {
    f.field("path", path,
            "folder of the four IDX files, relative to the data folder; empty: looked for there", {});
  }
};

Dataset make_mnist(const MnistOptions& options, const DataContext& context) {
  IdxPlaces places{.title = "MNIST",
                   .fetch_name = "mnist",
                   .folders = {context.folder / "mnist", context.folder / "MNIST" / "raw", context.folder},
                   .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
  if (!options.path.empty()) places.folders = {context.folder / options.path};
  return read_idx_dataset(places);
}

}  // namespace

PLUMB_REGISTER(Datasets, mnist, MnistOptions, make_mnist,
               "MNIST: 60,000 + 10,000 gray digits 28 x 28, 10 classes (LeCun et al. 1998)")

}  // namespace plumb
