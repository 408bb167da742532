/// One run, completely described: every default is written out, nothing depends on where or when it is
/// started.
#pragma once

#include <optional>
#include <string>

#include "plumb/data/dataset.hpp"
#include "plumb/data/preprocessing.hpp"
#include "plumb/data/randomization.hpp"
#include "plumb/data/subset.hpp"
#include "plumb/experiment/initial_weights.hpp"
#include "plumb/models/network.hpp"
#include "plumb/probes/probe.hpp"
#include "plumb/training/trainer.hpp"

namespace plumb {

enum class Precision { float32, float64 };
enum class MemoryFormat { automatic, contiguous, channels_last };

struct ComputeOptions {
  std::string device = "auto";
  Precision precision = Precision::float32;
  std::optional<int64_t> threads;
  MemoryFormat memory_format = MemoryFormat::automatic;
  bool deterministic = true;

  void fields(Fields& f);
};

struct CheckpointOptions {
  double every_seconds = 60;
  std::optional<int64_t> every_steps;

  void fields(Fields& f);
};

struct Run {
  std::string name;
  int64_t seed = 0;
  Choice<Dataset(const DataContext&)> data{datasets()};
  SubsetOptions subset;
  PreprocessingOptions preprocessing;
  AugmentationOptions augmentation;
  Choice<void(Problem&, const Seed&)> randomization{randomizations(), "true_labels"};
  Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)> model{models()};
  Choice<void(Network&, const TrainingData&, const Seed&)> initial_weights{plumb::initial_weights(), "drawn"};
  TrainingOptions training;
  ComputeOptions compute;
  CheckpointOptions checkpoint;
  ProbeChoices probes{plumb::probes()};

  void fields(Fields& f);

  /// Reads and checks a description. Throws ConfigError for anything that can be found wrong without data.
  static Run read(const Config& config);
  /// The complete description.
  Config description() const { return write_options(*this); }
  /// Eight hexadecimal digits that change with anything that changes the numbers: not with the name, the
  /// thread count, the checkpoint interval or the probes, which only watch.
  std::string fingerprint() const;
};

}  // namespace plumb
