/// Where the weights of a run begin.
#pragma once

#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/models/network.hpp"
#include "plumb/training/evaluation.hpp"

namespace plumb {

/// What is done with a network as the model made it, on its device and in its dtype, before a run that is not
/// resumed starts:
/// - drawn: nothing, its weights are as drawn;
/// - saved: they are read from an archive, the model.pt of another run for example;
/// - memorizing: they are those of a network built to have every training label right.
/// Throws ConfigError when the network does not suit, DataError for a file that is missing or does not.
using InitialWeights = Registry<void(Network&, const TrainingData&, const Seed&)>;
InitialWeights& initial_weights();

}  // namespace plumb
