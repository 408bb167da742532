/// What a run's probes would refuse, found before anything is trained.
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/probes/probe.hpp"

namespace plumb {

/// A probe that has nothing to measure on some networks, whatever their weights.
class Demanding {
 public:
  virtual ~Demanding() = default;
  /// What such a network lacks, in words that follow "the network"; empty when it lacks nothing.
  virtual std::string obstacle(const Moment& moment, const ProbeSet& set) = 0;
};

/// How many examples each of `choices` looks at where there are as many; 0 of probes that look at none.
std::vector<int64_t> examples_asked(const ProbeChoices& choices);

/// Throws ConfigError when a probe asks for more than `examples` examples, unless that is its default: then
/// it looks at all, and says so beside its table.
void check_probe_sizes(const ProbeChoices& choices, int64_t examples);

/// Throws ConfigError when a probe has nothing to measure on this network (see Demanding). `network` is
/// left in evaluation mode.
void check_probe_obstacles(const ProbeChoices& choices, Network& network, const TrainingData& data,
                           const TrainingOptions& training, const Seed& seed);

/// The same, and asks each probe for its columns and for a measurement on two examples, with `network` as it
/// stands: throws what they would throw in a run. What costs as much as an epoch is left out. `network` is
/// left in evaluation mode.
void check_probes(const ProbeChoices& choices, Network& network, const TrainingData& data,
                  const TrainingOptions& training, const Seed& seed);

}  // namespace plumb
