#include <algorithm>
#include <sstream>

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/data/cifar_records.hpp"
#include "plumb/data/dataset.hpp"
#include "plumb/data/missing.hpp"
#include "plumb/data/published_files.hpp"
#include "plumb/data/tar.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

struct Cifar10Options {
  std::string path;

  void fields(Fields& f) {
    f.field("path", path,
            "folder of the .bin files or cifar-10-binary.tar.gz, relative to the data folder; empty: looked "
            "for there",
            {});
  }
};

constexpr const char* kCifarFolder = "cifar-10-batches-bin";
constexpr const char* kCifarArchive = "cifar-10-binary.tar.gz";
constexpr const char* kCifarNames = "batches.meta.txt";
constexpr const char* kCifarTest = "test_batch.bin";
constexpr int64_t kCifarFileLimit = int64_t{1} << 28;

std::vector<std::string> cifar_train_files() {
  std::vector<std::string> names;
  for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  return names;
}

/// The bytes of the files of the set, by file name; train and test files all present.
using CifarFiles = std::map<std::string, std::string>;

CifarFiles read_cifar_folder(const fs::path& folder) {
  CifarFiles files;
  for (const std::string& name : cifar_train_files()) files[name] = read_file(folder / name);
  files[kCifarTest] = read_file(folder / kCifarTest);
  if (fs::exists(folder / kCifarNames)) files[kCifarNames] = read_file(folder / kCifarNames);
  return files;
}

CifarFiles read_cifar_archive(const fs::path& archive) {
  std::vector<std::string> names = cifar_train_files();
  names.emplace_back(kCifarTest);
  names.emplace_back(kCifarNames);
  CifarFiles files = read_tar(archive, names, kCifarFileLimit);
  for (const std::string& name : names)
    if (name != kCifarNames && !files.contains(name))
      throw DataError(fmt::format("{}: the archive has no {}; the binary version of CIFAR-10 is expected",
                                  archive.string(), name));
  return files;
}

bool holds_cifar(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "data_batch_1.bin", ignored) || fs::exists(folder / kCifarTest, ignored);
}

/// "a.bin holds 5,000" for the files that hold another number of records than `usual`.
std::string unusual_counts(const std::map<std::string, int64_t>& counts, int64_t usual) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts)
    if (count != usual) parts.push_back(fmt::format("{} holds {} records", name, count));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Refuses a set in which some files are whole and others are not; notes one that is small or large
/// altogether.
void check_counts(const CifarFiles& files, const fs::path& place, std::vector<std::string>& notes) {
  std::map<std::string, int64_t> counts;
  for (const auto& [name, bytes] : files)
    if (name != kCifarNames) counts[name] = CifarRecords(bytes, (place / name).string()).size();
  const auto whole = std::ranges::count_if(
      counts, [](const auto& item) { return item.second == CifarRecords::kRecordsPerFile; });
  if (whole == std::ssize(counts)) return;
  const std::string unusual = unusual_counts(counts, CifarRecords::kRecordsPerFile);
  if (whole > 0)
    throw DataError(fmt::format("{}: {}; each file of CIFAR-10 holds {}", place.string(), unusual,
                                CifarRecords::kRecordsPerFile));
  notes.push_back(fmt::format("{}: not the whole of CIFAR-10, whose files hold {} records each: {}",
                              place.string(), CifarRecords::kRecordsPerFile, unusual));
}

/// Refuses a file that is a copy of another.
void refuse_copies(const CifarFiles& files, const fs::path& place) {
  std::map<std::string_view, std::string> seen;
  for (const auto& [name, bytes] : files) {
    const auto [first, is_new] = seen.emplace(bytes, name);
    if (!is_new)
      throw DataError(fmt::format("{}: {} and {} hold the same records; one is a copy of the other",
                                  place.string(), first->second, name));
  }
}

/// The folder or archive to read: the first of the usual places that has one.
fs::path find_cifar(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_regular_file(folder, ignored)) return folder;
  for (const fs::path& place : {folder / kCifarFolder, folder})
    if (holds_cifar(place)) return place;
  if (fs::exists(folder / kCifarArchive, ignored)) return folder / kCifarArchive;
  std::string other;
  for (const char* name : {"cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-batches-mat"})
    if (other.empty() && fs::exists(folder / name, ignored))
      other = fmt::format(" ({} is there, the same images in a form that plumb does not read)", name);
  throw MissingData(
      fmt::format("{}: CIFAR-10 is not there{}; looked for {}/data_batch_1.bin, data_batch_1.bin and {}; get "
                  "it with `plumb fetch cifar10 --data {}`",
                  folder.string(), other, kCifarFolder, kCifarArchive, folder.string()));
}

/// (n, 3, 32, 32) uint8 and (n) int64 of some files, in order; their bytes are released on the way.
Examples cifar_examples(CifarFiles& files, const std::vector<std::string>& names, const fs::path& place) {
  std::vector<Tensor> inputs, labels;
  for (const std::string& name : names) {
    const CifarRecords checked(files.at(name), (place / name).string());
    const Tensor records = at::from_blob(files.at(name).data(), {checked.size(), CifarRecords::kRecord},
                                         at::TensorOptions(at::kByte));
    inputs.push_back(records.narrow(1, 1, CifarRecords::kPixels).clone(at::MemoryFormat::Contiguous));
    labels.push_back(records.select(1, 0).to(at::kLong));
    files.erase(name);
  }
  return {at::cat(inputs).view({-1, 3, 32, 32}), at::cat(labels)};
}

std::vector<std::string> cifar_class_names(const CifarFiles& files, const fs::path& place) {
  const auto found = files.find(kCifarNames);
  if (found == files.end())
    return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  std::vector<std::string> names;
  std::istringstream lines(found->second);
  for (std::string line; std::getline(lines, line);) {
    std::erase(line, '\r');
    if (!line.empty()) names.push_back(line);
  }
  if (static_cast<int64_t>(names.size()) != CifarRecords::kClasses)
    throw DataError(fmt::format("{}: names {} classes; CIFAR-10 has {}", (place / kCifarNames).string(),
                                names.size(), CifarRecords::kClasses));
  return names;
}

Dataset make_cifar10(const Cifar10Options& options, const DataContext& context) {
  const fs::path place = find_cifar(options.path.empty() ? context.folder : context.folder / options.path);
  CifarFiles files = fs::is_directory(place) ? read_cifar_folder(place) : read_cifar_archive(place);
  Dataset dataset;
  if (!fs::is_directory(place) && compare_with_published("cifar10", place, {}) == Published::no)
    dataset.notes.push_back(fmt::format("{}: is not the archive that was published", place.string()));
  check_counts(files, place, dataset.notes);
  refuse_copies(files, place);
  dataset.num_classes = CifarRecords::kClasses;
  dataset.class_names = cifar_class_names(files, place);
  dataset.train = cifar_examples(files, cifar_train_files(), place);
  dataset.test = cifar_examples(files, {kCifarTest}, place);
  dataset.source = place.string();
  return dataset;
}

}  // namespace

PLUMB_REGISTER(Datasets, cifar10, Cifar10Options, make_cifar10,
               "CIFAR-10: 50,000 + 10,000 color images 32 x 32, 10 classes (Krizhevsky 2009)")

}  // namespace plumb
