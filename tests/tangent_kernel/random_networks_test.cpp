// Oracle: each example alone through the network, one backward pass for each output, in float64.
#include "support/catch.hpp"
#include "tangent_kernel/random_comparison.hpp"

using namespace plumb::test;

TEST_CASE("the engine is right, or says what is wrong, on networks drawn from fixed seeds",
          "[tangent_kernel][random]") {
  int64_t comparisons = 0, refused = 0, faults = 0;
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    const Comparison comparison = compare_random_network(seed);
    INFO("scripts/random-networks --networks 1 --seed " << seed << ": " << comparison.description);
    for (const Finding& finding : comparison.findings) {
      INFO(finding.text);
      CHECK(finding.verdict != Verdict::silent);
      CHECK(finding.verdict != Verdict::unsaid);
      CHECK(finding.verdict != Verdict::foreign);
      // Only a route that was asked for may say that it cannot.
      const bool automatic = finding.text.find(", automatic") != std::string::npos;
      CHECK_FALSE((automatic && finding.verdict == Verdict::refused));
    }
    comparisons += comparison.of(Verdict::agrees);
    refused += comparison.of(Verdict::refused);
    faults += comparison.fault;
  }
  CHECK(comparisons > 2500);
  CHECK(refused < comparisons / 20);
  CHECK(faults > 10);
}
