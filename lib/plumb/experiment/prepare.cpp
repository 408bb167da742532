#include "plumb/experiment/prepare.hpp"

#include <torch/torch.h>

#include "plumb/probes/probe_check.hpp"

namespace plumb {
namespace {

at::ScalarType scalar_type(Precision precision) {
  return precision == Precision::float64 ? at::kDouble : at::kFloat;
}

std::vector<int64_t> example_shape(const Tensor& inputs) { return inputs.sizes().slice(1).vec(); }

/// A handful of duplicates is in most data sets; more than one in a hundred changes what is measured.
void note_duplicates(PreparedData& prepared, const Dataset& dataset) {
  const Duplicates& found = prepared.duplicates;
  if (100 * found.within_train > dataset.train.size())
    prepared.notes.push_back(fmt::format("{}: {} of {} training inputs equal an earlier one", dataset.source,
                                         found.within_train, dataset.train.size()));
  if (100 * found.test_in_train > dataset.test.size())
    prepared.notes.push_back(fmt::format("{}: {} of {} test inputs are training inputs, too", dataset.source,
                                         found.test_in_train, dataset.test.size()));
}

/// With random crops the whole images stay resident, and cropping and normalizing are part of every batch.
void prepare_augmented(TrainingData& data, const Run& run, const Normalizer& normalize, int64_t side) {
  data.augment = [options = run.augmentation, normalize, side](const Tensor& inputs,
                                                               at::Generator& generator) {
    return normalize(augment(inputs, options, side, generator));
  };
  data.prepare = [preprocessing = run.preprocessing, normalize](const Tensor& inputs) {
    return normalize(to_unit_range(inputs, preprocessing, inputs.scalar_type()));
  };
}

}  // namespace

at::Device find_device(const std::string& name) {
  const bool available = torch::cuda::is_available();
  if (name == "cpu" || (name == "auto" && !available)) return at::kCPU;
  if (!available)
    throw ConfigError(
        fmt::format("compute.device: '{}' was asked for, but LibTorch {} finds no CUDA device here; "
                    "use cpu or auto",
                    name, TORCH_VERSION));
  const at::Device device = name == "auto" || name == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(name);
  const auto count = static_cast<int64_t>(torch::cuda::device_count());
  if (device.index() >= count)
    throw ConfigError(
        fmt::format("compute.device: '{}' was asked for, but there are only {} CUDA devices, counted "
                    "from 0",
                    name, count));
  return device;
}

PreparedData prepare_data(const Run& run, const std::filesystem::path& data_folder,
                          const at::Device& device) {
  const Seed seed(static_cast<uint64_t>(run.seed));
  const Dataset dataset = subset(run.data.make({data_folder, seed}), run.subset, seed);
  if (dataset.train.size() == 0) throw DataError(fmt::format("{}: no training examples", dataset.source));
  check_dataset(dataset);
  check_probe_sizes(run.probes, dataset.train.size());
  const bool augmented = run.augmentation.any();
  PreprocessingOptions stored = run.preprocessing;
  if (augmented) stored.crop.reset();

  Problem problem = make_problem(dataset, stored, scalar_type(run.compute.precision));
  run.randomization.make().apply(problem, seed);
  encode_targets(problem, run.targets);

  const Normalizer normalize(run.preprocessing.normalize, problem.train.inputs);
  PreparedData prepared;
  prepared.hashes = hash_data(dataset);
  prepared.duplicates = count_duplicates(dataset);
  prepared.notes = dataset.notes;
  note_duplicates(prepared, dataset);
  prepared.redrawn = problem.redrawn;
  prepared.source = dataset.source;
  prepared.class_names = dataset.class_names;
  prepared.signature.input = example_shape(problem.train.inputs);
  prepared.signature.outputs = problem.num_classes > 0 ? problem.num_classes : problem.train.targets.size(1);
  TrainingData& data = prepared.data;
  if (augmented) {
    if (prepared.signature.input.size() != 3)
      throw ConfigError(
          fmt::format("augmentation: crops and flips need images; {} holds vectors", dataset.source));
    const int64_t side = run.preprocessing.crop.value_or(prepared.signature.input[1]);
    prepared.signature.input[1] = prepared.signature.input[2] = side;
    prepare_augmented(data, run, normalize, side);
  } else {
    problem.train.inputs = normalize(problem.train.inputs);
    if (problem.test.size() > 0) problem.test.inputs = normalize(problem.test.inputs);
  }
  const auto move = [&](const Examples& examples) {
    if (examples.size() == 0) return Examples{};
    return Examples{examples.inputs.to(device), examples.targets.to(device)};
  };
  data.train = move(problem.train);
  data.test = move(problem.test);
  data.clean_targets = problem.clean_targets.to(device);
  return prepared;
}

}  // namespace plumb
