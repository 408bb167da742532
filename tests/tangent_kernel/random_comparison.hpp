/// A random network, held by every route, option and product of the engine against its per-example Jacobian.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace plumb::test {

enum class Verdict {
  agrees,     // within what rounding explains; for a network with a fault: refused
  refused,    // an error of plumb's, for a network that has a kernel
  foreign,    // an error of another kind: one of LibTorch's that passed through
  unnoticed,  // a network with a fault was taken, and what came out is right all the same
  unsaid,     // right, but a note that should be there is not
  silent,     // a wrong number without a word
};
constexpr size_t verdicts = 6;
std::string name_of(Verdict verdict);

struct Finding {
  Verdict verdict;
  std::string text;  // the call, and what came out
};

struct Comparison {
  uint64_t seed = 0;
  std::string description;  // of the network
  bool skipped = false;     // the reference is not to be trusted: a kink, numbers that are not finite
  bool fault = false;
  std::array<int64_t, verdicts> counts{};
  std::vector<Finding> findings;  // what does not agree

  int64_t of(Verdict verdict) const { return counts[static_cast<size_t>(verdict)]; }
};

/// Draws the network of the seed and compares.
Comparison compare_random_network(uint64_t seed);

}  // namespace plumb::test
