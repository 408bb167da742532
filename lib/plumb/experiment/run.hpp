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
#include "plumb/theorems/theorem.hpp"
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
  Choice<Randomization()> randomization{randomizations(), "true_labels"};
  TargetEncoding targets = TargetEncoding::as_given;
  Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)> model{models()};
  Choice<void(Network&, const TrainingData&, const Seed&)> initial_weights{plumb::initial_weights(), "drawn"};
  TrainingOptions training;
  ComputeOptions compute;
  CheckpointOptions checkpoint;
  ProbeChoices probes{plumb::probes()};
  TheoremChoices theorems{plumb::theorems()};

  void fields(Fields& f);

  /// Reads and checks a description; words of an earlier version are read too (see renew_words), and what is
  /// to be said of them is added to `notes`. Throws ConfigError for anything that can be found wrong without
  /// data.
  static Run read(const Config& config, std::vector<std::string>* notes = nullptr);
  /// What is recorded: the probes, and those that the theorems need beside.
  ProbeChoices all_probes() const { return with_needs(probes, theorems); }
  /// The complete description.
  Config description() const { return write_options(*this); }
  /// Eight hexadecimal digits that change with anything that changes the run's course: not with its name, its
  /// thread count, the checkpoint interval, the probes or the theorems, which only watch; nor with its limits
  /// and targets (training.stop), which only say where on its course it ends, unless the schedule needs an
  /// end.
  std::string fingerprint() const;
};

/// The fingerprint of version 0.1, which knew limits, of the description that it wrote in run.yaml. It ends
/// the names of folders and stands in checkpoints of that version.
std::string fingerprint_0_1(const Config& description);

}  // namespace plumb
