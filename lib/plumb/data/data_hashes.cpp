#include "plumb/data/data_hashes.hpp"

#include <optional>
#include <string_view>
#include <unordered_set>

#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include "plumb/core/error.hpp"
#include "plumb/core/sha256.hpp"

namespace plumb {
namespace {

std::string_view bytes_of(const Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.data_ptr()), static_cast<size_t>(contiguous.nbytes())};
}

std::string hash_of(const Tensor& tensor) {
  if (!tensor.defined()) return sha256_hex("no examples");
  const Tensor values = tensor.contiguous();
  return Sha256()
      .add(fmt::format("{} {}\n", c10::toString(values.scalar_type()), fmt::join(values.sizes(), "x")))
      .add(bytes_of(values))
      .hex();
}

/// The first example with a number that is not finite.
std::optional<int64_t> first_infinite(const Tensor& values) {
  const Tensor infinite = at::isfinite(values.flatten(1)).logical_not().any(1).nonzero();
  if (infinite.numel() == 0) return std::nullopt;
  return infinite[0][0].item<int64_t>();
}

/// What is wrong with the targets; empty when nothing is.
std::string fault_of_targets(const Examples& part, int64_t classes) {
  const Tensor& targets = part.targets;
  const bool real =
      targets.defined() && targets.is_floating_point() && (targets.dim() == 1 || targets.dim() == 2);
  if (!real && (!targets.defined() || targets.dim() != 1 || targets.scalar_type() != at::kLong))
    return "labels must be a vector of 64-bit integers, or real numbers of shape (n) or (n, c)";
  if (targets.size(0) != part.inputs.size(0))
    return fmt::format("{} inputs and {} labels", part.inputs.size(0), targets.size(0));
  if (real) {
    const auto infinite = first_infinite(targets.dim() == 1 ? targets.unsqueeze(1) : targets);
    return infinite ? fmt::format("the target of example {} is not finite", *infinite) : "";
  }
  const Tensor wrong = targets.lt(0).logical_or(targets.ge(classes)).nonzero();
  if (wrong.numel() == 0) return "";
  const int64_t i = wrong[0][0].item<int64_t>();
  return fmt::format("example {} has label {}; labels 0 to {} are expected", i, targets[i].item<int64_t>(),
                     classes - 1);
}

void check_part(const Examples& part, std::string_view name, const Dataset& dataset) {
  if (!part.inputs.defined()) return;
  const auto refuse = [&](const std::string& problem) {
    throw DataError(fmt::format("{}: {} examples: {}", dataset.source, name, problem));
  };
  if (part.inputs.dim() < 2) refuse("inputs must have an axis after that of the examples");
  if (const std::string problem = fault_of_targets(part, dataset.num_classes); !problem.empty())
    refuse(problem);
  if (!part.inputs.is_floating_point() || part.size() == 0) return;
  if (const auto i = first_infinite(part.inputs))
    refuse(fmt::format("the input of example {} is not finite", *i));
}

/// The bytes of each example, in order.
std::vector<std::string_view> records(const Tensor& contiguous) {
  std::vector<std::string_view> examples;
  const std::string_view bytes = bytes_of(contiguous);
  const size_t size = bytes.size() / static_cast<size_t>(contiguous.size(0));
  for (size_t begin = 0; size > 0 && begin < bytes.size(); begin += size)
    examples.push_back(bytes.substr(begin, size));
  return examples;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> DataHashes::parts() const {
  return {{"train_inputs", train_inputs},
          {"train_labels", train_labels},
          {"test_inputs", test_inputs},
          {"test_labels", test_labels}};
}

std::string DataHashes::all() const {
  Sha256 hash;
  for (const auto& [name, part] : parts()) hash.add(part + "\n");
  return hash.hex();
}

DataHashes hash_data(const Dataset& dataset) {
  return {hash_of(dataset.train.inputs), hash_of(dataset.train.targets), hash_of(dataset.test.inputs),
          hash_of(dataset.test.targets)};
}

void check_dataset(const Dataset& dataset) {
  check_part(dataset.train, "training", dataset);
  check_part(dataset.test, "test", dataset);
  if (dataset.train.size() == 0 || dataset.test.size() == 0) return;
  const auto train = dataset.train.inputs.sizes().slice(1), test = dataset.test.inputs.sizes().slice(1);
  if (train != test)
    throw DataError(fmt::format("{}: a training example has shape {}, a test example {}; one is expected",
                                dataset.source, fmt::join(train, " x "), fmt::join(test, " x ")));
  if (dataset.train.targets.scalar_type() != dataset.test.targets.scalar_type() ||
      dataset.train.targets.sizes().slice(1) != dataset.test.targets.sizes().slice(1))
    throw DataError(
        fmt::format("{}: the targets of training and test examples are of different kinds", dataset.source));
}

Duplicates count_duplicates(const Dataset& dataset) {
  Duplicates found;
  if (dataset.train.size() == 0) return found;
  const Tensor train = dataset.train.inputs.contiguous();
  std::unordered_set<std::string_view> seen;
  for (const std::string_view example : records(train))
    found.within_train += seen.insert(example).second ? 0 : 1;
  if (dataset.test.size() == 0) return found;
  const Tensor test = dataset.test.inputs.contiguous();
  for (const std::string_view example : records(test)) found.test_in_train += seen.contains(example) ? 1 : 0;
  return found;
}

}  // namespace plumb
