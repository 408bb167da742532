// Oracle: numbers that break one claim at a time.
#include "plumb/lecture/rethinking.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using theory::Ruling;

namespace plumb {
void register_Systems_rethinking_generalization(Systems& registry);
}

namespace {

RethinkingMeasured honest_fits() {
  RethinkingMeasured measured;
  measured.fits = {{"net", "true labels", 0, 1, 0.35, 100, 10},
                   {"net", "random labels", 1, 1, 0.105, 230, 10},
                   {"net", "gaussian pixels", 0, 1, 0.1, 150, 10}};
  measured.test_examples = 1000;
  measured.classes = 10;
  measured.examples = 500;
  measured.dimension = 3072;
  measured.weights = 4072;
  measured.largest_error = 1e-7;
  return measured;
}

template <class Change>
std::vector<Ruling> rulings_of_fits(const Change& change) {
  RethinkingMeasured measured = honest_fits();
  change(measured);
  std::vector<Ruling> rulings;
  for (const Claim& claim : rethinking_claims(measured)) rulings.push_back(claim.verdict.ruling);
  return rulings;
}

}  // namespace

TEST_CASE("every claim about randomized data can fail", "[lecture][rethinking]") {
  using M = RethinkingMeasured;
  REQUIRE(rethinking_claims(honest_fits()).size() == 6);
  for (const Claim& claim : rethinking_claims(honest_fits())) CHECK(claim.as_expected());
  CHECK(rulings_of_fits([](M& m) { m.weights += 1; })[0] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.largest_error = 0.1; })[1] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.fits[2].train_accuracy = 0.998; })[2] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.fits[1].test_accuracy = 0.18; })[3] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.fits[1].test_accuracy = 0.02; })[3] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.fits[1].test_accuracy = 0.14; })[3] == Ruling::undecided);
  CHECK(rulings_of_fits([](M& m) { m.fits[0].test_accuracy = 0.15; })[4] == Ruling::fails);
  CHECK(rulings_of_fits([](M& m) { m.fits[0].test_accuracy = 0.21; })[4] == Ruling::undecided);
  CHECK(rulings_of_fits([](M& m) { m.fits[1].steps = 90; })[5] == Ruling::fails);
  RethinkingMeasured incomplete = honest_fits();
  incomplete.fits.pop_back();
  incomplete.fits.pop_back();
  CHECK_THROWS_AS(rethinking_claims(incomplete), ContractError);
}

TEST_CASE("the small version of Table 1 runs on any data set", "[lecture][rethinking]") {
  Systems registry;
  register_Systems_rethinking_generalization(registry);
  const auto entry = registry.at("rethinking_generalization");
  const Config config = Config::parse(
      "{data: {type: gaussian_mixture, train_examples: 200, test_examples: 200}, models: [mlp], "
      "model_options: '{width: 200, depth: 1}', train_examples: 60, test_examples: 200, "
      "construction_examples: 150, crop: 0, learning_rate: 0.02, max_epochs: 2000}");
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  const auto system = entry->make();
  const Evidence evidence = system->run({.seed = Seed(1), .data_folder = {}, .progress = {}});
  CHECK(system->statement().id == "S12");
  REQUIRE(evidence.claims.size() == 6);
  for (const size_t claim : {0, 1, 2}) {
    INFO(evidence.claims[claim].statement << ": " << evidence.claims[claim].verdict.text());
    CHECK(evidence.claims[claim].as_expected());
  }
  CHECK(evidence.figures.at(0).curves.size() == 8);
  CHECK(evidence.tables.at(0).table.rows.size() == 8);
}

TEST_CASE("networks that do not exist are refused before anything is trained", "[lecture][rethinking]") {
  Systems registry;
  register_Systems_rethinking_generalization(registry);
  for (const std::string models : {"[]", "[mlpp]"}) {
    const auto entry = registry.at("rethinking_generalization");
    const Config config = Config::parse("models: " + models);
    FieldReader reader(config);
    entry->fields(reader);
    CHECK_THROWS_AS(entry->make(), ConfigError);
  }
}
