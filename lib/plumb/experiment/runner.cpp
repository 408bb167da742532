#include "plumb/experiment/runner.hpp"

#include <chrono>
#include <cmath>

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/memory.hpp"
#include "plumb/experiment/prepare.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/probes/probe_check.hpp"
#include "plumb/probes/probe_recorder.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

void write_json(const std::filesystem::path& file, const Json& json) {
  write_file_atomically(file, json.dump(2) + "\n");
}

int64_t parse_threads(const Run& run, const Archive* checkpoint) {
  if (run.compute.threads) return *run.compute.threads;
  // A resumed run keeps its thread count: sums in another order would not be the same bits.
  if (checkpoint != nullptr) return checkpoint->integer("threads");
  return at::get_num_threads();
}

void set_up_libtorch(const Run& run, int64_t threads, const at::Device& device) {
  at::set_num_threads(static_cast<int>(threads));
  at::globalContext().setDeterministicAlgorithms(run.compute.deterministic, /*warn_only=*/true);
  at::globalContext().setDeterministicCuDNN(run.compute.deterministic);
  at::globalContext().setBenchmarkCuDNN(!run.compute.deterministic);
  // float32 means float32: TensorFloat-32 has 10 bits of mantissa.
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  seed_global_generators(Seed(static_cast<uint64_t>(run.seed)).derive("global"), device);
}

/// Lays out the weights of a convolutional network as asked; true when its inputs are to have channels last.
bool lay_out_network(Network& network, const Run& run, const at::Device& device) {
  const bool faster = device.is_cpu() || run.training.autocast != Autocast::none;
  if (run.compute.memory_format == MemoryFormat::contiguous) return false;
  if (run.compute.memory_format == MemoryFormat::automatic && !faster) return false;
  return lay_out_channels_last(network);
}

Json describe_provenance(const Run& run, const PreparedData& prepared, const Network& network,
                         int64_t threads, const at::Device& device, const RunnerOptions& options) {
  const Versions version = versions();
  const TrainingData& data = prepared.data;
  const double corrupted = data.train.labels.ne(data.clean_labels).to(at::kDouble).mean().item<double>();
  Json axes = Json::object();
  for (const auto& [axis, label] : options.axes) axes[axis] = label;
  return {{"plumb", version.plumb},
          {"commit", version.commit},
          {"compiler", version.compiler},
          {"libtorch", version.libtorch},
          {"blas", version.blas},
          {"device", device.str()},
          {"threads", threads},
          {"cpu", processor_name()},
          {"host_cores", available_cores()},
          {"started", timestamp()},
          {"finished", nullptr},
          {"seed", run.seed},
          {"axes", axes},
          {"parameters", parameter_count(network)},
          {"train_examples", data.train.size()},
          {"test_examples", data.test.size()},
          {"corrupted_fraction", corrupted},
          {"data_source", prepared.source},
          {"sittings", Json::array({timestamp()})}};
}

/// What the probes saved. Checkpoints of versions without probes hold nothing of them, which only an empty
/// list of probes takes.
std::optional<Archive> saved_probes(const Archive* checkpoint) {
  if (checkpoint == nullptr) return std::nullopt;
  return checkpoint->contains("probes") ? checkpoint->archive("probes") : Archive{};
}

/// Writes the series, saves checkpoints, reports progress; and passes the wish to stop on to the trainer.
class Recorder final : public TrainingObserver {
 public:
  Recorder(const Run& run, const RunDirectory& directory, const RunnerOptions& options, int64_t threads,
           int64_t train_examples, const Archive* checkpoint)
      : run_(run),
        directory_(directory),
        options_(options),
        threads_(threads),
        train_examples_(static_cast<double>(train_examples)),
        series_(directory, checkpoint == nullptr ? nullptr : &checkpoint->archive("series")),
        probes_(run.probes, directory.probes(), Seed(static_cast<uint64_t>(run.seed)),
                saved_probes(checkpoint)) {
    progress_.max_epochs = run.training.stop.epochs.value_or(0);
    progress_.has_target = run.training.stop.train_accuracy || run.training.stop.train_loss;
    progress_.resumed = checkpoint != nullptr;
  }

  void before_step(const Moment& moment) override { probes_.before_step(moment); }
  void after_last_step(const Moment& moment) override { probes_.after_last_step(moment); }

  void interval(const Interval& row) override { series_.add(row); }

  void evaluated(const Evaluation& evaluation) override {
    series_.add(evaluation);
    progress_.fit = evaluation.fit;
    timing_due_ = true;
    told_ = false;
  }

  bool after_step(const Trainer& trainer) override {
    follow(trainer);
    const auto now = Clock::now();
    const bool stop = options_.stop != nullptr && options_.stop->load();
    const bool by_steps = run_.checkpoint.every_steps && trainer.step() % *run_.checkpoint.every_steps == 0;
    if (stop || by_steps || seconds(now - saved_) >= run_.checkpoint.every_seconds) {
      save(trainer);
      saved_ = now;
    }
    if (!told_ || seconds(now - reported_) >= 0.5) {
      tell(trainer);
      reported_ = now;
    }
    return !stop;
  }

  void save(const Trainer& trainer) {
    Archive archive;
    archive.put("format", int64_t{1});
    archive.put("run", run_.fingerprint());
    archive.put("threads", threads_);
    archive.put("series", series_.save());
    archive.put("probes", probes_.save());
    archive.put("trainer", trainer.state());
    archive.save(directory_.checkpoint());
  }

  /// Forces the last rows to the disk.
  void finish(const Trainer& trainer) {
    follow(trainer);
    series_.save();
    probes_.save();
    tell(trainer);
  }

 private:
  static double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

  /// On a GPU the means are waited for, so they are read here alone.
  void tell(const Trainer& trainer) {
    told_ = true;
    if (!options_.progress) return;
    const Interval means = trainer.epoch_means();
    progress_.loss = means.loss;
    progress_.accuracy = means.accuracy;
    options_.progress(progress_);
  }

  void follow(const Trainer& trainer) {
    progress_.step = trainer.step();
    progress_.epoch = trainer.epoch();
    progress_.seconds = trainer.training_seconds() + trainer.evaluation_seconds();
    const StopOptions& stop = run_.training.stop;
    progress_.fraction_done = 0;
    const auto consider = [&](double done, double limit) {
      progress_.fraction_done = std::max(progress_.fraction_done, std::min(1.0, done / limit));
    };
    if (stop.epochs) consider(progress_.epoch, *stop.epochs);
    if (stop.steps) consider(static_cast<double>(progress_.step), static_cast<double>(*stop.steps));
    if (stop.seconds) consider(progress_.seconds, *stop.seconds);
    const double trained = trainer.training_seconds();
    if (trained > timed_seconds_ + 0.2) {
      progress_.examples_per_second =
          (trainer.epoch() - timed_epoch_) * train_examples_ / (trained - timed_seconds_);
    }
    if (timing_due_) {
      series_.add_timing(trainer.step(), trained, trainer.evaluation_seconds(),
                         progress_.examples_per_second);
      timed_seconds_ = trained;
      timed_epoch_ = trainer.epoch();
      timing_due_ = false;
    }
  }

  const Run& run_;
  const RunDirectory& directory_;
  const RunnerOptions& options_;
  int64_t threads_;
  double train_examples_;
  RunSeries series_;
  ProbeRecorder probes_;
  Progress progress_;
  bool timing_due_ = false;
  bool told_ = true;                            // of the last evaluation
  double timed_seconds_ = 0, timed_epoch_ = 0;  // at the last row of timing.csv
  Clock::time_point saved_ = Clock::now(), reported_ = Clock::now();
};

std::optional<Archive> load_checkpoint(const Run& run, const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.checkpoint())) return std::nullopt;
  Archive archive = Archive::load(directory.checkpoint());
  if (archive.integer("format") != 1)
    throw DataError(fmt::format("{}: format {} is not one this plumb knows; it knows 1",
                                directory.checkpoint().string(), archive.integer("format")));
  if (archive.text("run") != run.fingerprint())
    throw DataError(fmt::format("{}: belongs to another description than {}; remove it to start afresh",
                                directory.checkpoint().string(), directory.description().string()));
  return archive;
}

void save_labels(const PreparedData& prepared, const RunDirectory& directory) {
  Archive labels;
  labels.put("labels", prepared.data.train.labels);
  labels.put("clean_labels", prepared.data.clean_labels);
  labels.put("redrawn", prepared.redrawn);
  labels.save(directory.labels());
}

/// Another process may have written other probes into run.yaml between the reading of it and the lock.
void check_description(const Run& run, const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.description())) return;
  const Run described = Run::read(Config::load(directory.description()));
  if (described.description().to_yaml() != run.description().to_yaml())
    throw DataError(fmt::format("{}: describes another run than the one that is started here",
                                directory.description().string()));
}

std::optional<Outcome> recorded_outcome(const RunDirectory& directory) {
  if (!directory.finished()) return std::nullopt;
  const Json json = Json::parse(read_file(directory.outcome()), nullptr, false);
  const std::string name = json.is_object() ? json.value("outcome", "") : "";
  for (int i = 0; i <= static_cast<int>(Outcome::interrupted); ++i)
    if (name == to_string(static_cast<Outcome>(i))) return static_cast<Outcome>(i);
  throw DataError(fmt::format("{}: not an outcome that plumb writes; remove it to run again",
                              directory.outcome().string()));
}

/// Keeps what the first sitting wrote, when there was one.
void write_provenance(Json provenance, const RunDirectory& directory, bool resumed) {
  if (resumed && std::filesystem::exists(directory.provenance())) {
    Json before = Json::parse(read_file(directory.provenance()), nullptr, false);
    if (before.is_object() && before.contains("sittings") && before["sittings"].is_array()) {
      before["sittings"].push_back(timestamp());
      provenance = std::move(before);
    }
  }
  write_json(directory.provenance(), provenance);
}

void finish(const RunDirectory& directory, const Trainer& trainer, const Network& network, Outcome outcome) {
  save_network(network).save(directory.model());
  Json provenance = Json::parse(read_file(directory.provenance()), nullptr, false);
  if (provenance.is_object()) {
    provenance["finished"] = timestamp();
    write_json(directory.provenance(), provenance);
  }
  write_json(directory.outcome(), {{"outcome", to_string(outcome)},
                                   {"message", ""},
                                   {"step", trainer.step()},
                                   {"epoch", trainer.epoch()},
                                   {"training_seconds", trainer.training_seconds()},
                                   {"evaluation_seconds", trainer.evaluation_seconds()},
                                   {"probe_seconds", trainer.measuring_seconds()}});
  std::error_code ignored;
  std::filesystem::remove(directory.checkpoint(), ignored);
}

}  // namespace

Outcome execute(const Run& run, const RunDirectory& directory, const RunnerOptions& options) {
  // First without the lock, which a folder that cannot be written does not give.
  if (const auto outcome = recorded_outcome(directory)) return *outcome;
  const RunLock lock(directory);
  // Another process may have finished the run since.
  if (const auto outcome = recorded_outcome(directory)) return *outcome;
  check_description(run, directory);
  const std::optional<Archive> checkpoint = load_checkpoint(run, directory);
  const Archive* resume_from = checkpoint ? &*checkpoint : nullptr;
  const at::Device device = find_device(run.compute.device);
  const int64_t threads = parse_threads(run, resume_from);
  set_up_libtorch(run, threads, device);

  PreparedData prepared = prepare_data(run, options.data_folder, device);
  // Only now: what reading the data needed for a while goes back to the system.
  if (device.is_cpu()) keep_freed_memory();
  const Seed seed(static_cast<uint64_t>(run.seed));
  at::Generator weights = seed.stream("weights");
  const std::shared_ptr<Network> network = run.model.make(prepared.signature, weights);
  network->to(device, run.compute.precision == Precision::float64 ? at::kDouble : at::kFloat);
  if (resume_from == nullptr) run.initial_weights.make(*network, prepared.data, seed);
  prepared.data.channels_last = lay_out_network(*network, run, device);
  check_probe_obstacles(run.probes, *network, prepared.data, run.training, seed);

  write_provenance(describe_provenance(run, prepared, *network, threads, device, options), directory,
                   checkpoint.has_value());
  if (resume_from == nullptr) save_labels(prepared, directory);
  const int64_t train_examples = prepared.data.train.size();
  Trainer trainer(network, std::move(prepared.data), run.training, seed);
  Recorder recorder(run, directory, options, threads, train_examples, resume_from);
  if (resume_from != nullptr) trainer.load(resume_from->archive("trainer"));

  const Outcome outcome = trainer.run(recorder);
  recorder.finish(trainer);
  if (outcome != Outcome::interrupted) finish(directory, trainer, *network, outcome);
  return outcome;
}

}  // namespace plumb
