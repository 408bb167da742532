#include "plumb/experiment/runner.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/files.hpp"
#include "plumb/experiment/begun.hpp"
#include "plumb/experiment/checkpoint.hpp"
#include "plumb/experiment/ending.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/experiment/set_up.hpp"
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

/// The number of CPU threads.
int64_t thread_count(const Run& run, const Archive* checkpoint) {
  if (run.compute.threads) return *run.compute.threads;
  // A resumed run keeps its thread count: sums in another order would not be the same bits.
  if (checkpoint != nullptr) return checkpoint->integer("threads");
  return at::get_num_threads();
}

Json describe_data(const PreparedData& prepared) {
  Json data = Json::object();
  data["sha256"] = prepared.hashes.all();
  for (const auto& [part, hash] : prepared.hashes.parts()) data[part] = hash;
  data["duplicates_within_train"] = prepared.duplicates.within_train;
  data["test_examples_in_train"] = prepared.duplicates.test_in_train;
  return data;
}

Tensor few_inputs(const TrainingData& data) {
  constexpr int64_t few = 8;
  return data.evaluation_inputs(data.train.inputs.slice(0, 0, few));
}

Json describe_provenance(const Run& run, const PreparedData& prepared, Network& network, int64_t threads,
                         const at::Device& device, const RunnerOptions& options) {
  const Versions version = versions();
  const TrainingData& data = prepared.data;
  const double corrupted =
      targets_differ(data.train.targets, data.clean_targets).to(at::kDouble).mean().item<double>();
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
          {"same_in_training", same_in_training(network, few_inputs(data))},
          {"data_source", prepared.source},
          {"data", describe_data(prepared)},
          {"description", run.description().to_yaml()},
          {"notes", Json::array()},
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
           int64_t train_examples, const DataHashes& data, const Archive* checkpoint)
      : run_(run),
        directory_(directory),
        options_(options),
        threads_(threads),
        data_(data),
        train_examples_(static_cast<double>(train_examples)),
        series_(directory, checkpoint == nullptr ? nullptr : &checkpoint->archive("series")),
        probes_(run.all_probes(), directory.probes(), Seed(static_cast<uint64_t>(run.seed)),
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
    evaluation_was_due_ = !end_saved_;
    timing_due_ = true;
    told_ = false;
  }

  void before_end(const Trainer& trainer) override {
    follow(trainer);
    save(trainer);
    end_saved_ = true;
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
    Archive data;
    for (const auto& [part, hash] : data_.parts()) data.put(part, hash);
    archive.put("data", std::move(data));
    archive.put("series", series_.save());
    archive.put("probes", probes_.save());
    archive.put("trainer", trainer.state());
    save_checkpoint(archive, directory_);
  }

  /// Forces the last rows to the disk.
  void finish(const Trainer& trainer) {
    follow(trainer);
    series_.save();
    probes_.save();
    tell(trainer);
  }

  /// How the run ended, at the state that `trainer` has now.
  Ending ending(const Trainer& trainer, Outcome outcome) const {
    return {.outcome = outcome,
            .step = trainer.step(),
            .epoch = trainer.epoch(),
            .seconds = trainer.training_seconds() + trainer.evaluation_seconds(),
            .train_accuracy = trainer.last_evaluation().train_accuracy,
            .train_loss = trainer.last_evaluation().train_loss,
            .evaluation_was_due = evaluation_was_due_};
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
      // A limit of 0 updates is reached at once.
      const double fraction = limit > 0 ? std::min(1.0, done / limit) : 1;
      progress_.fraction_done = std::max(progress_.fraction_done, fraction);
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
  const DataHashes data_;
  double train_examples_;
  RunSeries series_;
  ProbeRecorder probes_;
  Progress progress_;
  bool timing_due_ = false;
  bool end_saved_ = false;                      // the checkpoint from which a longer run goes on
  bool evaluation_was_due_ = true;              // the last evaluation, whether or not the run ended there
  bool told_ = true;                            // of the last evaluation
  double timed_seconds_ = 0, timed_epoch_ = 0;  // at the last row of timing.csv
  Clock::time_point saved_ = Clock::now(), reported_ = Clock::now();
};

void save_labels(const PreparedData& prepared, const RunDirectory& directory) {
  Archive labels;
  labels.put("labels", prepared.data.train.targets);
  labels.put("clean_labels", prepared.data.clean_targets);
  labels.put("redrawn", prepared.redrawn);
  labels.save(directory.labels());
}

/// Another process may have written other probes into run.yaml between the reading of it and the lock.
void check_probes(const Run& run, const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.description())) return;
  const Run described = Run::read(Config::load(directory.description()));
  const auto watchers = [](const Run& of) {
    const Config description = of.description();
    return description.find("probes")->to_yaml() + description.find("theorems")->to_yaml();
  };
  if (watchers(described) != watchers(run))
    throw DataError(fmt::format("{}: describes another run than the one that is started here",
                                directory.description().string()));
}

Json read_provenance(const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.provenance())) return {};
  return Json::parse(read_file(directory.provenance()), nullptr, false);
}

/// Keeps what the first session wrote, when there was one.
void write_provenance(Json provenance, const RunDirectory& directory, const std::vector<std::string>& notes) {
  Json before = read_provenance(directory);
  if (directory.has_checkpoint() && before.is_object() && before.contains("sittings") &&
      before["sittings"].is_array()) {
    before["sittings"].push_back(timestamp());
    before["finished"] = nullptr;
    before["description"] = provenance["description"];
    before["data"] = provenance["data"];
    if (!before.contains("notes") || !before["notes"].is_array()) before["notes"] = Json::array();
    provenance = std::move(before);
  }
  Json& said = provenance["notes"];
  for (const std::string& note : notes)
    if (std::find(said.begin(), said.end(), Json(note)) == said.end()) said.push_back(note);
  write_json(directory.provenance(), provenance);
}

/// Writes the description where it is missing or has other limits than `run`.
void write_description(const Run& run, const RunDirectory& directory) {
  const std::string text = run.description().to_yaml();
  if (std::filesystem::exists(directory.description()) &&
      Run::read(Config::load(directory.description())).description().to_yaml() == text)
    return;
  write_file_atomically(directory.description(), text);
}

/// Throws DataError when a checkpoint was saved with other data than `now`. Version 0.1 saved no hashes.
void check_data(const DataHashes& now, const Archive& checkpoint, const RunDirectory& directory,
                const std::string& source) {
  if (!checkpoint.contains("data")) return;
  const Archive& then = checkpoint.archive("data");
  std::vector<std::string> changes;
  for (const auto& [part, hash] : now.parts())
    if (then.text(part) != hash)
      changes.push_back(fmt::format("{}: SHA-256 {} then, {} now", part, then.text(part), hash));
  if (changes.empty()) return;
  throw DataError(
      fmt::format("{}: begun with other data than {} has now ({}); put those back, or remove the folder to "
                  "begin again",
                  directory.path.string(), source, fmt::join(changes, "; ")));
}

/// The outcome of a run to which nothing is to be added. Throws DataError when the folder is another run's.
std::optional<Outcome> outcome_already(const Run& run, const RunDirectory& directory) {
  refuse_other_description(run.description(), directory);
  const std::optional<Ending> ending = Ending::read(directory);
  if (!ending || ending->goes_on(run.training.stop)) return std::nullopt;
  return ending->outcome;
}

LoadedCheckpoint load_state(const Run& run, const RunDirectory& directory) {
  LoadedCheckpoint loaded = load_checkpoint(run, directory);
  if (!loaded.archive && directory.finished())
    throw DataError(
        fmt::format("{}: ended before the limits asked for and has no checkpoint to go on from; remove the "
                    "folder to train it anew",
                    directory.path.string()));
  if (!loaded.archive && std::filesystem::exists(directory.provenance()))
    loaded.notes.emplace_back("begins again at step 0: no checkpoint was saved before it ended");
  return loaded;
}

void finish(const RunDirectory& directory, const Trainer& trainer, const Network& network,
            const Ending& ending) {
  save_network(network).save(directory.model());
  Json provenance = read_provenance(directory);
  if (provenance.is_object()) {
    provenance["finished"] = timestamp();
    write_json(directory.provenance(), provenance);
  }
  ending.write(directory, trainer.training_seconds(), trainer.evaluation_seconds(),
               trainer.measuring_seconds());
  // What diverged goes nowhere.
  if (ending.outcome == Outcome::diverged)
    remove_checkpoints(directory);
  else
    remove_previous_checkpoint(directory);
}

}  // namespace

Outcome execute(const Run& run, const RunDirectory& directory, const RunnerOptions& options) {
  // First without the lock, which a folder that cannot be written does not give.
  if (const auto outcome = outcome_already(run, directory)) return *outcome;
  const RunLock lock(directory);
  // Another process may have finished the run since.
  if (const auto outcome = outcome_already(run, directory)) return *outcome;
  check_probes(run, directory);
  LoadedCheckpoint loaded = load_state(run, directory);
  const Archive* resume_from = loaded.archive ? &*loaded.archive : nullptr;
  SetUp made = set_up(run, options.data_folder, thread_count(run, resume_from), resume_from != nullptr);
  const DataHashes hashes = made.prepared.hashes;
  if (resume_from != nullptr) check_data(hashes, *resume_from, directory, made.prepared.source);
  const int64_t threads = at::get_num_threads();

  std::vector<std::string> notes = std::move(loaded.notes);
  std::ranges::copy(made.prepared.notes, std::back_inserter(notes));
  const Seed seed(static_cast<uint64_t>(run.seed));
  check_probe_obstacles(run.all_probes(), *made.network, made.prepared.data, run.training, seed);
  const Json provenance =
      describe_provenance(run, made.prepared, *made.network, threads, made.device, options);
  if (resume_from == nullptr) save_labels(made.prepared, directory);
  const int64_t train_examples = made.prepared.data.train.size();
  Trainer trainer(made.network, std::move(made.prepared.data), run.training, seed);
  std::ranges::copy(trainer.notes(), std::back_inserter(notes));
  write_description(run, directory);
  write_provenance(provenance, directory, notes);
  if (options.note)
    for (const std::string& note : notes) options.note(note);
  Recorder recorder(run, directory, options, threads, train_examples, hashes, resume_from);
  if (resume_from != nullptr) trainer.load(resume_from->archive("trainer"));
  // From here on a run that goes on is not finished any more.
  remove_path(directory.outcome());

  const Outcome outcome = trainer.run(recorder);
  recorder.finish(trainer);
  if (outcome != Outcome::interrupted)
    finish(directory, trainer, *made.network, recorder.ending(trainer, outcome));
  return outcome;
}

}  // namespace plumb
