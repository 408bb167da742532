#include "plumb/data/subset.hpp"

#include <algorithm>
#include <charconv>

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// The number of a class given by name or by number.
int64_t class_number(const Dataset& dataset, const std::string& word) {
  const auto named = std::find(dataset.class_names.begin(), dataset.class_names.end(), word);
  if (named != dataset.class_names.end()) return named - dataset.class_names.begin();
  int64_t number = -1;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  if (error == std::errc{} && stop == end && number >= 0 && number < dataset.num_classes) return number;
  throw ConfigError(
      fmt::format("data.subset.classes: unknown class '{}'{}", word, suggestion(word, dataset.class_names)));
}

/// The name of a class, or its number in a set without names.
std::string class_name(const Dataset& dataset, int64_t number) {
  const auto i = static_cast<size_t>(number);
  return i < dataset.class_names.size() ? dataset.class_names[i] : std::to_string(number);
}

/// The examples whose class has a new number in `renumbered` (-1: none), under that number.
Examples of_classes(const Examples& examples, const Tensor& renumbered) {
  if (examples.size() == 0) return examples;
  const Tensor labels = renumbered.index_select(0, examples.targets);
  const Tensor kept = labels.ge(0).nonzero().squeeze(1);
  return {examples.inputs.index_select(0, kept), labels.index_select(0, kept)};
}

void keep_classes(Dataset& dataset, const std::vector<std::string>& words) {
  if (dataset.num_classes == 0)
    throw ConfigError(
        fmt::format("data.subset.classes: the targets of {} are real numbers, not classes", dataset.source));
  Tensor renumbered = at::full({dataset.num_classes}, -1, at::TensorOptions(at::kLong));
  std::vector<std::string> names;
  for (const std::string& word : words) {
    const int64_t number = class_number(dataset, word);
    if (renumbered[number].item<int64_t>() >= 0)
      throw ConfigError(fmt::format("data.subset.classes: class '{}' is given twice", word));
    renumbered[number] = static_cast<int64_t>(names.size());
    names.push_back(class_name(dataset, number));
  }
  dataset.train = of_classes(dataset.train, renumbered);
  dataset.test = of_classes(dataset.test, renumbered);
  dataset.num_classes = static_cast<int64_t>(names.size());
  dataset.class_names = std::move(names);
}

/// Draws even when all are kept, so that the test examples do not depend on the number of training examples.
Examples some_of(const Examples& examples, std::optional<int64_t> count, std::string_view part,
                 at::Generator& generator) {
  const int64_t n = examples.size();
  const Tensor order = at::randperm(n, generator, at::TensorOptions(at::kLong));
  if (!count) return examples;
  if (*count > n)
    throw ConfigError(
        fmt::format("data.subset.{}_examples: {} asked for; the classes chosen have {}", part, *count, n));
  const Tensor kept = std::get<0>(order.narrow(0, 0, *count).sort());
  return {examples.inputs.index_select(0, kept), examples.targets.index_select(0, kept)};
}

}  // namespace

Dataset subset(const Dataset& dataset, const SubsetOptions& options, const Seed& seed) {
  Dataset chosen = dataset;
  if (!options.classes.empty()) keep_classes(chosen, options.classes);
  at::Generator generator = seed.stream("subset");
  chosen.train = some_of(chosen.train, options.train_examples, "train", generator);
  chosen.test = some_of(chosen.test, options.test_examples, "test", generator);
  return chosen;
}

}  // namespace plumb
