// Oracles: a t-interval worked out by hand; numbers that break one claim at a time.
#include "plumb/lecture/adversarial_start.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using theory::Ruling;

namespace plumb {
void register_Systems_adversarial_initialization(Systems& registry);
}

namespace {

AdversarialMeasured honest_starts() {
  AdversarialMeasured measured;
  measured.random_label_accuracy = 0.9;
  measured.training_accuracy = 1;
  measured.plain = {{1, 0.99, 1, 1}, {0.95, 0.97, 0.96, 0.95}};
  measured.regularized = {{1, 1, 0.99, 1}, {1, 0.99, 0.99, 1}};
  return measured;
}

template <class Change>
std::vector<Ruling> rulings_of_starts(const Change& change) {
  AdversarialMeasured measured = honest_starts();
  change(measured);
  std::vector<Ruling> rulings;
  for (const Claim& claim : adversarial_claims(measured)) rulings.push_back(claim.verdict.ruling);
  return rulings;
}

}  // namespace

TEST_CASE("the gap between two starts comes with Student's interval", "[lecture][adversarial]") {
  // Gaps 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t(2) = 4.303.
  const auto gap = start_gap({{0.9, 0.8, 0.9}, {0.8, 0.6, 0.6}});
  CHECK(gap.value == Approx(0.2));
  CHECK(gap.uncertainty == Approx(4.303 * 0.1 / std::sqrt(3.0)).epsilon(1e-3));
  CHECK_THROWS_AS(start_gap({{0.9}, {0.8}}), ContractError);
  CHECK_THROWS_AS(start_gap({{0.9, 0.8}, {0.8}}), ContractError);
}

TEST_CASE("every claim about adversarial starts can fail", "[lecture][adversarial]") {
  using M = AdversarialMeasured;
  for (const Claim& claim : adversarial_claims(honest_starts())) CHECK(claim.as_expected());
  CHECK(rulings_of_starts([](M& m) { m.training_accuracy = 0.98; })[0] == Ruling::fails);
  CHECK(rulings_of_starts([](M& m) { std::swap(m.plain.random, m.plain.adversarial); })[1] == Ruling::fails);
  CHECK(rulings_of_starts([](M& m) { m.plain.adversarial = {1, 0.9, 1, 1}; })[1] == Ruling::undecided);
  CHECK(rulings_of_starts([](M& m) {
          m.regularized.adversarial = {0.9, 0.9, 0.89, 0.9};
        })[2] == Ruling::fails);
  CHECK(rulings_of_starts([](M& m) { m.random_label_accuracy = 0.6; })[1] == Ruling::hypotheses_not_met);
}

TEST_CASE("the toy problem of adversarial starts runs with real training", "[lecture][adversarial]") {
  Systems registry;
  register_Systems_adversarial_initialization(registry);
  const auto entry = registry.at("adversarial_initialization");
  const Config config = Config::parse("{seeds: 3, width: 20, random_label_steps: 300, steps: 300}");
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  const auto system = entry->make();
  const Surroundings surroundings{.seed = Seed(1), .data_folder = {}, .progress = {}};
  const Evidence once = system->run(surroundings), again = system->run(surroundings);
  CHECK(system->statement().id == "S13");
  REQUIRE(once.claims.size() == 3);
  CHECK(once.claims[0].verdict.ruling == Ruling::holds);  // two clusters far apart
  CHECK(once.claims[1].verdict.measured == again.claims[1].verdict.measured);
  CHECK(once.figures.at(0).curves.size() == 4);
  CHECK(once.figures[0].curves[0].y.size() == 3);
}
