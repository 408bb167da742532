#include "plumb/experiment/run.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "plumb/core/random.hpp"
#include "plumb/core/text.hpp"
#include "plumb/experiment/outdated.hpp"

namespace plumb {
namespace {

bool is_device_name(const std::string& name) {
  if (name == "auto" || name == "cpu" || name == "cuda") return true;
  const std::string_view prefix = "cuda:";
  return name.starts_with(prefix) && name.size() > prefix.size() && name.size() <= prefix.size() + 3 &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

/// What is wrong with a name that becomes a file's; empty when nothing is.
std::string fault_of_name(const std::string& name) {
  constexpr size_t longest = 80;
  if (name.size() > longest)
    return fmt::format("a name of {} letters; at most {} are possible", name.size(), longest);
  const bool plain =
      !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
      });
  return plain ? "" : "letters, digits, '_', '-' and '.' are allowed, no '.' at the front";
}

/// The place of `key`, or of the whole description when the key is not written there.
[[noreturn]] void fail_at(const Config& config, std::string_view key, std::string_view problem) {
  const Config* value = config.find(key);
  if (value != nullptr) value->fail(problem);
  config.fail(fmt::format("{}: {}", key, problem));
}

void check_run(const Run& run, const Config& config) {
  if (const std::string fault = fault_of_name(run.name); !fault.empty())
    fail_at(config, "name", fault + "; it names the output folder");
  if (run.data.empty())
    fail_at(config, "data", fmt::format("missing; known: {}", fmt::join(run.data.types(), ", ")));
  if (run.model.empty())
    fail_at(config, "model", fmt::format("missing; known: {}", fmt::join(run.model.types(), ", ")));
  if (!is_device_name(run.compute.device))
    fail_at(config, "compute",
            fmt::format("device '{}' is not known; allowed: auto, cpu, cuda, cuda:N", run.compute.device));
  if (run.augmentation.any() && run.randomization.make().touches_pixels)
    fail_at(config, "augmentation",
            fmt::format("crops and flips cannot be combined with {}", run.randomization.type()));
  if (run.training.autocast != Autocast::none && run.compute.precision == Precision::float64)
    fail_at(config, "training", "autocast lowers precision; it cannot be combined with float64");
  if (!run.training.stop.epochs && !run.training.stop.steps && !run.training.stop.seconds)
    fail_at(config, "training", "stop: no limit is set; give epochs, steps or seconds");
}

/// Probes that contradict themselves, or would write to the same files.
void check_probes(const Run& run, const Config& config) {
  const Config* list = config.find("probes");
  if (list == nullptr) return;
  std::set<std::string> seen;
  size_t i = 0;
  for (const std::string& name : probe_names(run.probes)) {
    const Config& place = list->items.at(i++);
    if (const std::string fault = fault_of_name(name); !fault.empty())
      place.fail(fmt::format("name '{}': {}; it names a file", clipped(name, 80), fault));
    if (!seen.insert(name).second)
      place.fail(fmt::format("a second probe is called '{}'; give one of them a name of its own", name));
  }
}

std::string short_hash(const Config& description) {
  return fmt::format("{:08x}", static_cast<uint32_t>(Seed(0).derive(description.to_yaml()) >> 32));
}

}  // namespace

void ComputeOptions::fields(Fields& f) {
  f.field("device", device, "auto (CUDA when there is one), cpu, cuda or cuda:N");
  f.field("precision", precision, "of weights and arithmetic", {"float32", "float64"});
  f.field("threads", threads, "CPU threads; none: a fair share of the cores", positive);
  f.field("memory_format", memory_format,
          "of images and convolutions; auto: channels_last where it is the faster one, on the CPU and with "
          "autocast",
          {"auto", "contiguous", "channels_last"});
  f.field("deterministic", deterministic, "use only algorithms that give the same result every time");
}

void CheckpointOptions::fields(Fields& f) {
  f.field("every_seconds", every_seconds, "seconds between checkpoints", positive);
  f.field("every_steps", every_steps, "also a checkpoint after each so many updates", positive);
}

void Run::fields(Fields& f) {
  f.field("name", name, "names the output folder");
  f.field("seed", seed, "everything random in the run follows from it", non_negative);
  f.component("data", data, "the data set");
  f.section("subset", subset, "which part of it");
  f.section("preprocessing", preprocessing, "from stored examples to network inputs");
  f.section("augmentation", augmentation, "random changes of training images, new in each epoch");
  f.component("randomization", randomization,
              "what is randomized, once, before training (Zhang et al. 2017)");
  f.field("targets", targets,
          "what the network is trained to predict; as_given: what the data set has; signs: of two classes -1 "
          "and 1, by a network of one output",
          {"as_given", "signs"});
  f.component("model", model, "the network");
  f.component("initial_weights", initial_weights, "where its weights begin");
  f.section("training", training, "how it is trained");
  f.section("compute", compute, "where and in which precision");
  f.section("checkpoint", checkpoint, "how often the state is saved");
  f.components("probes", probes, "what is measured while it trains; changes nothing of the run");
  f.components("theorems", theorems, "what is held against the run; records what it needs beside the probes");
}

Run Run::read(const Config& config, std::vector<std::string>* notes) {
  Config renewed = config;
  for (std::string& note : renew_words(renewed))
    if (notes != nullptr) notes->push_back(std::move(note));
  Run run = read_options<Run>(renewed);
  check_run(run, renewed);
  check_probes(run, renewed);
  // Options that contradict each other are found by making what needs no data.
  run.training.loss.make();
  run.training.optimizer.make({});
  run.training.schedule.make(run.training.stop.epochs.value_or(run.training.stop.steps ? 1 : 0));
  return run;
}

std::string Run::fingerprint() const {
  Run essence = *this;
  essence.name.clear();
  essence.compute.threads.reset();
  StopOptions& stop = essence.training.stop;
  const bool needs_end = training.schedule.make(stop.epochs.value_or(1)).needs_end;
  stop = needs_end ? StopOptions{.steps = stop.steps, .epochs = stop.epochs} : StopOptions{};
  Config description = essence.description();
  for (const char* key : {"checkpoint", "probes", "theorems"}) description.erase(key);
  return short_hash(description);
}

std::string fingerprint_0_1(const Config& description) {
  Config essence = description;
  Config no_name = Config::scalar("");
  no_name.quoted = true;
  essence.set("name", std::move(no_name));
  essence.set("compute.threads", Config::scalar("none"));
  essence.set("checkpoint", write_options(CheckpointOptions{}));
  essence.erase("probes");
  if (const Config* weights = essence.find("initial_weights");
      weights != nullptr && weights->find("type") != nullptr && weights->find("type")->text == "drawn")
    essence.erase("initial_weights");
  return short_hash(essence);
}

}  // namespace plumb
