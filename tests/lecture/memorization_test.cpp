// Oracle: numbers that break one claim at a time.
#include "plumb/lecture/memorization.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using theory::Ruling;

namespace plumb {
void register_Systems_memorizing_network(Systems& registry);
}

namespace {

const MemorizationMeasured honest_memorization{.examples = 50000,
                                               .first_width = 448,
                                               .second_width = 448,
                                               .smallest_gap = 1e-9,
                                               .accuracy = 1,
                                               .largest_error = 0.06,
                                               .float32_accuracy = 0.11,
                                               .sgd_accuracy = 0.6,
                                               .sgd_epochs = 3};

/// The rulings of all claims for numbers that `change` has changed.
template <class Change>
std::vector<Ruling> rulings_of_memorization(const Change& change) {
  MemorizationMeasured measured = honest_memorization;
  change(measured);
  std::vector<Ruling> rulings;
  for (const Claim& claim : memorization_claims(measured, 10)) rulings.push_back(claim.verdict.ruling);
  return rulings;
}

std::unique_ptr<System> memorizing_network(const std::string& options) {
  Systems registry;
  register_Systems_memorizing_network(registry);
  const auto entry = registry.at("memorizing_network");
  const Config config = Config::parse(options);
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  return entry->make();
}

}  // namespace

TEST_CASE("every claim of the memorizing network can fail", "[lecture][memorization]") {
  using M = MemorizationMeasured;
  for (const Claim& claim : memorization_claims(honest_memorization, 10)) CHECK(claim.as_expected());
  CHECK(rulings_of_memorization([](M& m) { m.accuracy = 0.99998; })[0] == Ruling::fails);
  CHECK(rulings_of_memorization([](M& m) { m.accuracy = NAN; })[0] == Ruling::undecided);
  CHECK(rulings_of_memorization([](M& m) { m.largest_error = 0.7; })[1] == Ruling::fails);
  CHECK(rulings_of_memorization([](M& m) { m.second_width = 460; })[2] == Ruling::fails);
  CHECK(rulings_of_memorization([](M& m) { m.float32_accuracy = 0.5; })[3] == Ruling::fails);
  CHECK(rulings_of_memorization([](M& m) { m.sgd_accuracy = 1; })[4] == Ruling::holds);
  CHECK(rulings_of_memorization([](M& m) { m.first_width = 400; })[0] == Ruling::hypotheses_not_met);
  CHECK(rulings_of_memorization([](M& m) { m.smallest_gap = 0; })[1] == Ruling::hypotheses_not_met);
}

TEST_CASE("the system memorizes random labels of points on a sphere while SGD does not",
          "[lecture][memorization]") {
  const auto system = memorizing_network(
      "{data: {type: sphere, train_examples: 5000, test_examples: 0, dimension: 6, classes: 10}, "
      "train_examples: 4000, random_labels: true, epochs: 1}");
  const Evidence evidence = system->run({.seed = Seed(1), .data_folder = {}, .progress = {}});
  CHECK(system->statement().id == "S11");
  REQUIRE(evidence.claims.size() == 5);
  for (const size_t claim : {0, 1, 2, 4}) {
    INFO(evidence.claims[claim].statement);
    CHECK(evidence.claims[claim].as_expected());
  }
  CHECK(evidence.figures.at(0).curves.at(1).x.size() >= 2);
}

TEST_CASE("without the images the system says where they belong", "[lecture][memorization]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(
      memorizing_network("{}")->run({.seed = Seed(1), .data_folder = folder.path(), .progress = {}}),
      DataError);
}
