// Oracles: a t-interval worked out by hand; numbers that break one claim at a time; the figure's curves and
// the table's cells against the claims.
#include "plumb/lecture/adversarial_start.hpp"

#include <functional>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/data/dataset.hpp"

using namespace plumb;
using theory::Ruling;

namespace plumb {
void register_Systems_adversarial_initialization(Systems& registry);
void register_Systems_adversarial_images(Systems& registry);
}  // namespace plumb

namespace {

AdversarialMeasured honest_starts() {
  AdversarialMeasured measured;
  measured.random_label_accuracy = 0.9;
  measured.training_accuracy = 1;
  measured.plain = {{1, 0.99, 1, 1}, {0.95, 0.96, 0.96, 0.95}};
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

TEST_CASE("whether half is lost is decided by the difference in each seed", "[lecture][adversarial]") {
  // Plain gaps 0.2 and 0.4; the regularized ones are half of them + more, up to +-d.
  const auto verdict = [](double d, double more) {
    AdversarialMeasured measured = honest_starts();
    measured.plain = {{1, 1}, {0.8, 0.6}};
    measured.regularized = {{1, 1}, {0.9 - d - more, 0.8 + d - more}};
    return adversarial_claims(measured)[2].verdict;
  };
  // t(1) = 12.706, and two numbers +-d have the standard error d.
  CHECK(verdict(0.01, 0).uncertainty == Approx(12.706 * 0.01).epsilon(1e-3));
  CHECK(verdict(0.001, 0.05).ruling == Ruling::fails);
  CHECK(verdict(0.001, -0.05).ruling == Ruling::holds);
  CHECK(verdict(0.01, 0.05).ruling == Ruling::undecided);
}

TEST_CASE("every claim about adversarial starts on images can fail", "[lecture][adversarial]") {
  using M = AdversarialImagesMeasured;
  const auto rulings = [](const std::function<void(M&)>& change) {
    M measured{.random_label_accuracy = 1,
               .plain = {{0.4, 0.41, 0.42}, {0.3, 0.31, 0.33}},
               .regularized = {{0.45, 0.46, 0.44}, {0.44, 0.45, 0.43}},
               .plain_training = {{1, 1, 1}, {1, 1, 1}},
               .regularized_training = {{1, 1, 1}, {1, 0.995, 1}}};
    change(measured);
    std::vector<Ruling> result;
    for (const Claim& claim : adversarial_image_claims(measured, true))
      result.push_back(claim.verdict.ruling);
    return result;
  };
  CHECK((rulings([](M&) {}) == std::vector<Ruling>(3, Ruling::holds)));
  CHECK((rulings([](M& m) { m.plain_training.adversarial[1] = 0.98; }) ==
         std::vector<Ruling>{Ruling::fails, Ruling::hypotheses_not_met, Ruling::holds}));
  CHECK(rulings([](M& m) { std::swap(m.plain.random, m.plain.adversarial); })[1] == Ruling::fails);
  CHECK(rulings([](M& m) { m.plain.adversarial = {0.3, 0.41, 0.5}; })[1] == Ruling::undecided);
  CHECK(rulings([](M& m) { m.regularized.adversarial = {0.35, 0.36, 0.34}; })[2] == Ruling::fails);
  CHECK(rulings([](M& m) { m.random_label_accuracy = 0.9; })[2] == Ruling::hypotheses_not_met);
  CHECK(rulings([](M& m) { m.regularized_training.random[2] = 0.9; })[2] == Ruling::hypotheses_not_met);
  // A regularized training that fits where none was expected to is not as expected.
  const M fits{.random_label_accuracy = 1,
               .plain = {{0.4, 0.41}, {0.3, 0.31}},
               .regularized = {{0.4, 0.41}, {0.4, 0.41}},
               .plain_training = {{1, 1}, {1, 1}},
               .regularized_training = {{1, 1}, {1, 1}}};
  CHECK(adversarial_image_claims(fits, true)[2].as_expected());
  CHECK_FALSE(adversarial_image_claims(fits, false)[2].as_expected());
}

namespace {

Evidence run_adversarial(const std::string& type, void (*add)(Systems&), const std::string& options) {
  Systems registry;
  add(registry);
  const auto entry = registry.at(type);
  const Config config = Config::parse(options);
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  return entry->make()->run({.seed = Seed(1), .data_folder = {}, .progress = {}});
}

struct NoStripeOptions {
  void fields(Fields&) {}
};

/// Gray images 8 x 8 of noise with one brighter row for each of three classes.
Dataset striped_images(const DataContext& context) {
  at::Generator generator = context.seed.stream("stripes");
  const auto draw = [&](int64_t n) {
    Examples examples{at::randint(100, {n, 1, 8, 8}, generator, at::kByte),
                      at::randint(3, {n}, generator, at::kLong)};
    for (int64_t i = 0; i < n; ++i)
      examples.inputs[i].select(1, 1 + 2 * examples.targets[i].item<int64_t>()).add_(100);
    return examples;
  };
  const Examples train = draw(60);
  return {train, draw(200), 3, {"a", "b", "c"}, "stripes"};
}

void add_striped_images() {
  static const bool added = [] {
    datasets().add<NoStripeOptions>(
        "striped_images", "rows",
        [](const NoStripeOptions&, const DataContext& context) { return striped_images(context); });
    return true;
  }();
  REQUIRE(added);
}

double mean_of_three(const std::vector<double>& values) { return (values.at(0) + values[1] + values[2]) / 3; }

}  // namespace

TEST_CASE("figure and table of the toy problem show what was judged", "[lecture][adversarial]") {
  const Evidence evidence =
      run_adversarial("adversarial_initialization", register_Systems_adversarial_initialization,
                      "{seeds: 3, width: 20, random_label_steps: 300, steps: 300}");
  const auto& curves = evidence.figures.at(0).curves;
  const auto& rows = evidence.tables.at(0).table.rows;
  REQUIRE(curves.size() == 4);
  REQUIRE(rows.size() == 2);
  CHECK(curves[0].label == "random, plain");
  CHECK(curves[3].label == "adversarial, regularized");
  for (size_t i = 0; i < 4; ++i) {
    CHECK(curves[i].x == std::vector<double>{0, 1, 2});
    CHECK(std::stod(rows[i / 2].at(1 + i % 2)) == Approx(mean_of_three(curves[i].y)).margin(6e-5));
  }
  const double plain = mean_of_three(curves[0].y) - mean_of_three(curves[1].y);
  CHECK(evidence.claims.at(1).verdict.measured == Approx(plain).margin(1e-12));
  CHECK(evidence.claims.at(2).verdict.predicted == Approx(plain / 2).margin(1e-12));
  CHECK(evidence.claims[2].verdict.measured ==
        Approx(mean_of_three(curves[2].y) - mean_of_three(curves[3].y)).margin(1e-12));
  // Two clusters far apart: a random start cannot but find them.
  for (const double accuracy : curves[0].y) CHECK(accuracy > 0.9);
}

TEST_CASE("figure and table of the images show what was judged", "[lecture][adversarial]") {
  add_striped_images();
  const std::string options =
      "{data: {type: striped_images}, model: {type: mlp, width: 100, depth: 2}, train_examples: 60, "
      "test_examples: 200, seeds: 3, padding: 1, epochs: 40, random_label_epochs: 400, learning_rate: 0.1}";
  const Evidence evidence =
      run_adversarial("adversarial_images", register_Systems_adversarial_images, options);
  const auto& curves = evidence.figures.at(0).curves;
  const auto& rows = evidence.tables.at(0).table.rows;
  REQUIRE(curves.size() == 4);
  REQUIRE(rows.size() == 2);
  CHECK(curves[0].label == "random start, plain");
  for (size_t i = 0; i < 4; ++i) {
    CHECK(curves[i].x.front() == 0);
    CHECK(curves[i].x.back() == 40);
    CHECK(std::stod(rows[i / 2].at(3 + i % 2)) == Approx(curves[i].y.back()).margin(6e-5));
  }
  // Before the first step both random starts are one network, and both adversarial ones.
  CHECK(curves[0].y.front() == curves[2].y.front());
  CHECK(curves[1].y.front() == curves[3].y.front());
  REQUIRE(evidence.claims.size() == 3);
  CHECK(evidence.claims[0].verdict.ruling == Ruling::holds);
  CHECK(evidence.claims[1].verdict.measured == Approx(curves[0].y.back() - curves[1].y.back()).margin(1e-9));
  CHECK(evidence.claims[1].verdict.unmet.empty());
  CHECK(std::stod(rows[0][1]) == 1);
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
