#include "plumb/data/idx_dataset.hpp"

#include <algorithm>

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"
#include "plumb/data/gzip.hpp"
#include "plumb/data/idx.hpp"
#include "plumb/data/missing.hpp"
#include "plumb/data/published_files.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

/// `folder`/`name` or, when that is absent, `folder`/`name`.gz; the second need not exist.
fs::path idx_file(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  return fs::exists(folder / name, ignored) ? folder / name : folder / (name + ".gz");
}

fs::path find_idx_folder(const IdxPlaces& places) {
  std::error_code ignored;
  for (const fs::path& folder : places.folders)
    if (fs::exists(idx_file(folder, "train-images-idx3-ubyte"), ignored)) return folder;
  std::vector<std::string> looked;
  for (const fs::path& folder : places.folders) looked.push_back(folder.string());
  throw MissingData(
      fmt::format("{}: {} is not there; looked for train-images-idx3-ubyte[.gz] in {}; get it with `plumb "
                  "fetch {} --data FOLDER`",
                  places.folders.front().string(), places.title, fmt::join(looked, ", "), places.fetch_name));
}

/// The file as a uint8 tensor of the asked rank; what is odd about it is added to `notes`.
Tensor read_idx_tensor(const IdxPlaces& places, const fs::path& file, size_t rank,
                       std::vector<std::string>& notes) {
  std::string bytes = read_plain_or_gzip(file);
  if (compare_with_published(places.fetch_name, file, bytes) == Published::no)
    notes.push_back(fmt::format("{}: is not the file of {} that was published", file.string(), places.title));
  const IdxArray array = parse_idx(bytes, file.string());
  if (array.sizes.size() != rank)
    throw DataError(
        fmt::format("{}: has {} dimensions; {} are expected", file.string(), array.sizes.size(), rank));
  char* values = bytes.data() + (array.values.data() - bytes.data());
  return at::from_blob(values, array.sizes, at::TensorOptions(at::kByte)).clone();
}

Examples read_idx_part(const IdxPlaces& places, const fs::path& folder, const std::string& part,
                       std::vector<std::string>& notes) {
  const auto num_classes = static_cast<int64_t>(places.class_names.size());
  const fs::path image_file = idx_file(folder, part + "-images-idx3-ubyte");
  const fs::path label_file = idx_file(folder, part + "-labels-idx1-ubyte");
  const Tensor images = read_idx_tensor(places, image_file, 3, notes);
  const Tensor labels = read_idx_tensor(places, label_file, 1, notes).to(at::kLong);
  if (labels.size(0) != images.size(0))
    throw DataError(fmt::format("{}: holds {} labels; {} holds {} images", label_file.string(),
                                labels.size(0), image_file.string(), images.size(0)));
  const Tensor wrong = labels.ge(num_classes).nonzero();
  if (wrong.numel() > 0) {
    const int64_t i = wrong[0][0].item<int64_t>();
    throw DataError(fmt::format("{}: label {} of example {}; labels 0 to {} are expected",
                                label_file.string(), labels[i].item<int64_t>(), i, num_classes - 1));
  }
  return {images.unsqueeze(1), labels};
}

}  // namespace

Dataset read_idx_dataset(const IdxPlaces& places) {
  const fs::path folder = find_idx_folder(places);
  Dataset dataset;
  dataset.class_names = places.class_names;
  dataset.num_classes = static_cast<int64_t>(places.class_names.size());
  dataset.train = read_idx_part(places, folder, "train", dataset.notes);
  dataset.test = read_idx_part(places, folder, "t10k", dataset.notes);
  dataset.source = folder.string();
  const Tensor& train = dataset.train.inputs;
  const Tensor& test = dataset.test.inputs;
  if (train.size(2) != test.size(2) || train.size(3) != test.size(3))
    throw DataError(fmt::format("{}: training images are {} x {}, test images {} x {}; one size is expected",
                                folder.string(), train.size(2), train.size(3), test.size(2), test.size(3)));
  if (train.equal(test))
    throw DataError(
        fmt::format("{}: {} and {} hold the same images; a test set is expected beside the "
                    "training set",
                    folder.string(), idx_file(folder, "train-images-idx3-ubyte").filename().string(),
                    idx_file(folder, "t10k-images-idx3-ubyte").filename().string()));
  return dataset;
}

}  // namespace plumb
