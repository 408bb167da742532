/// Words of version 0.1, read for one more version, and what they are called now.
#pragma once

#include <string>
#include <vector>

#include "plumb/core/config.hpp"

namespace plumb {

/// Rewrites what a run's description says in words of version 0.1. Returns a sentence, with its place, for
/// each of them, and for a default that was another one then:
/// - training.schedule: exponential {factor, every} is step {gamma, step_size}, step {epochs, factor} is
///   multi_step {milestones, gamma};
/// - training.optimizer: sgd took momentum 0.9 and learning_rate 0.1 where none was given.
std::vector<std::string> renew_words(Config& description);

}  // namespace plumb
