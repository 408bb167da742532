#include <algorithm>

#include <torch/torch.h>

#include "plumb/experiment/initial_weights.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

struct SavedOptions {
  std::string file;

  void fields(Fields& f) {
    f.field(
        "file", file,
        "all parameters and buffers by name, as every finished run leaves them in model.pt and as Python's "
        "torch.save(net.state_dict(), file) writes them; relative to the working folder",
        {});
  }
};

using NamedTensors = std::map<std::string, Tensor>;

NamedTensors named_tensors(const Network& network) {
  NamedTensors tensors;
  for (const auto& parameter : network.named_parameters())
    tensors.emplace(parameter.key(), parameter.value());
  for (const auto& buffer : network.named_buffers()) tensors.emplace(buffer.key(), buffer.value());
  return tensors;
}

/// What to save instead, where the file has the network's names within a dict or behind a prefix.
std::string hint(const Archive& archive, const NamedTensors& tensors) {
  constexpr std::string_view prefix = "module.";  // of Python's DataParallel
  const auto first = archive.values().begin();
  if (!archive.values().empty() && first->first.starts_with(prefix) &&
      tensors.contains(first->first.substr(prefix.size())))
    return "; save the network within: net.module.state_dict()";
  for (const auto& [name, value] : archive.values())
    if (const auto* inner = std::get_if<Archive>(&value))
      for (const auto& [tensor, unused] : inner->values())
        if (tensors.contains(tensor)) return fmt::format("; save its dict '{}' alone", name);
  return "";
}

/// Throws DataError unless the names are the same.
void compare_names(const Archive& archive, const NamedTensors& tensors) {
  std::vector<std::string> known, missing, unknown;
  for (const auto& [name, tensor] : tensors) {
    known.push_back(name);
    if (!archive.contains(name)) missing.push_back(name);
  }
  for (const auto& [name, value] : archive.values())
    if (!tensors.contains(name)) unknown.push_back(name);
  if (!missing.empty())
    throw DataError(fmt::format("{} of the network's {} tensors are not in it: '{}'{}", missing.size(),
                                tensors.size(), missing.front(), hint(archive, tensors)));
  if (!unknown.empty())
    throw DataError(
        fmt::format("the network has no tensor '{}'{}", unknown.front(), suggestion(unknown.front(), known)));
}

/// Throws DataError where a conversion would change the kind of numbers.
void compare_type(const std::string& name, const Tensor& saved, const Tensor& target) {
  const bool both_real = saved.is_floating_point() && target.is_floating_point();
  // plumb 0.1 saved the count of batches that batch normalization keeps as a floating number.
  const bool whole = saved.is_floating_point() && target.scalar_type() == at::kLong &&
                     saved.equal(saved.to(at::kLong).to(saved.scalar_type()));
  if (!both_real && !whole && saved.scalar_type() != target.scalar_type())
    throw DataError(fmt::format("saved tensor '{}' is {}; the network's is {}", name,
                                at::toString(saved.scalar_type()), at::toString(target.scalar_type())));
}

void load_saved(const SavedOptions& options, Network& network, const TrainingData&, const Seed&) {
  if (options.file.empty())
    throw ConfigError("initial_weights.file: empty; the model.pt of a finished run is needed");
  const Archive archive = Archive::load(options.file);
  const NamedTensors tensors = named_tensors(network);
  try {
    compare_names(archive, tensors);
    for (const auto& [name, tensor] : tensors) compare_type(name, archive.tensor(name), tensor);
    load_network(network, archive);
    for (const auto& [name, tensor] : tensors)
      if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>())
        throw DataError(fmt::format("saved tensor '{}' has numbers that are not finite in {}", name,
                                    at::toString(tensor.scalar_type())));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", options.file, error.what()));
  }
}

}  // namespace

PLUMB_REGISTER(
    InitialWeights, saved, SavedOptions, load_saved,
    "those that another run ended with, or the state_dict of a Python network of the same names and shapes")

}  // namespace plumb
