#include "plumb/probes/probe_check.hpp"

#include <charconv>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/probes/shared_kernel.hpp"

namespace plumb {
namespace {

/// A whole number among the options; 0 when there is none.
int64_t number_in(const Config& options, std::string_view key) {
  const Config* value = options.find(key);
  int64_t number = 0;
  if (value != nullptr) std::from_chars(value->text.data(), value->text.data() + value->text.size(), number);
  return number;
}

/// The options that `type` has unless told others.
Config defaults_of(const std::string& type) {
  ProbeChoices one(probes());
  one.append().select(type);
  return written_out(one).front();
}

/// The beginning of a set, for trying what can be measured.
ProbeSet two_of(const ProbeSet& set) {
  if (set.size() == 0) return {};
  return {set.indices.slice(0, 0, 2), set.inputs.slice(0, 0, 2), set.targets.slice(0, 0, 2),
          std::make_shared<SharedKernel>()};
}

void try_probe(Probe& probe, const ProbeSet& set, const Moment& moment, bool measured) {
  probe.layer_columns(moment, set);
  probe.follow(moment);
  if (measured) probe.measure(moment, set);
  if (probe.accompanies_updates()) probe.before_update(moment);
}

/// Calls `work(probe, few examples, moment, type)` for each probe at a state before the first update; what it
/// throws names the probe.
template <class Work>
void for_each_probe(const ProbeChoices& choices, Network& network, const TrainingData& data,
                    const TrainingOptions& training, const Seed& seed, Work work) {
  network.eval();
  const Loss loss = training.loss.make();
  const Tensor batch =
      at::arange(std::min<int64_t>(2, data.train.size()), data.train.targets.options().dtype(at::kLong));
  const Update coming{batch, 0, training};
  const Moment moment{0, 0, network, data, loss, &coming};
  const std::vector<std::string> names = probe_names(choices);
  size_t i = 0;
  for (const auto& choice : choices) {
    const auto refuse = [name = names[i++]](const std::string& why) {
      throw ConfigError(why.starts_with("probes: ") ? why : fmt::format("probes: {}: {}", name, why));
    };
    try {
      const std::unique_ptr<Probe> probe = choice.make();
      const ProbeSet few = two_of(probe->examples(data, seed));
      auto* demanding = dynamic_cast<Demanding*>(probe.get());
      const std::string obstacle = demanding == nullptr ? "" : demanding->obstacle(moment, few);
      if (!obstacle.empty()) refuse("the network " + obstacle);
      work(*probe, few, moment, choice.type());
    } catch (const c10::Error& error) {
      refuse(error.what_without_backtrace());
    } catch (const Error& error) {
      refuse(error.what());
    }
  }
}

}  // namespace

std::vector<int64_t> examples_asked(const ProbeChoices& choices) {
  std::vector<int64_t> asked;
  for (const Config& options : written_out(choices)) asked.push_back(number_in(options, "examples"));
  return asked;
}

void check_probe_sizes(const ProbeChoices& choices, int64_t examples) {
  const std::vector<std::string> names = probe_names(choices);
  size_t i = 0;
  for (const Config& options : written_out(choices)) {
    const std::string& name = names[i++];
    for (const char* key : {"examples", "loss_examples"}) {
      const int64_t asked = number_in(options, key);
      if (asked > examples && asked != number_in(defaults_of(options.find("type")->text), key))
        throw ConfigError(
            fmt::format("probes: {}: {}: {} asked for; the training set has {}", name, key, asked, examples));
    }
  }
}

void check_probe_obstacles(const ProbeChoices& choices, Network& network, const TrainingData& data,
                           const TrainingOptions& training, const Seed& seed) {
  for_each_probe(choices, network, data, training, seed, [](auto&&...) {});
}

void check_probes(const ProbeChoices& choices, Network& network, const TrainingData& data,
                  const TrainingOptions& training, const Seed& seed) {
  for_each_probe(choices, network, data, training, seed,
                 [](Probe& probe, const ProbeSet& few, const Moment& moment, const std::string& type) {
                   // A gradient asks nothing of a network that training does not, and may be one over the
                   // whole set.
                   try_probe(probe, few, moment, type != "gradient");
                 });
}

}  // namespace plumb
