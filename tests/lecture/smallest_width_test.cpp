// Oracles: widths made to follow a power law; dimension counting; brute force over all widths.
#include "plumb/lecture/smallest_width.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using theory::Ruling;

namespace plumb {
void register_Systems_overparameterization_table(Systems& registry);
}

namespace {

/// Draws whose width is 1000 (n/16)^p up to a factor exp(+-noise).
std::vector<WidthFound> widths_like(double p, double noise) {
  std::vector<WidthFound> found;
  double sign = 1;
  for (const int64_t n : {16, 32, 64, 128})
    for (int i = 0; i < 4; ++i, sign = -sign)
      found.push_back(
          {n, std::llround(1000 * std::pow(static_cast<double>(n) / 16, p) * std::exp(sign * noise)), 1});
  return found;
}

BoundRow row_of(const std::string& reference) {
  for (const BoundRow& row : bound_rows())
    if (row.reference.find(reference) != std::string::npos) return row;
  throw std::out_of_range(reference);
}

}  // namespace

TEST_CASE("each row's claim fails for widths that grow faster and holds for slower ones",
          "[lecture][overparameterization]") {
  REQUIRE(bound_rows().size() == 6);
  for (const BoundRow& row : bound_rows()) {
    INFO(row.reference);
    CHECK(exponent_claim(row, widths_like(row.exponent + 0.5, 0.05)).verdict.ruling == Ruling::fails);
    CHECK(exponent_claim(row, widths_like(row.exponent - 0.5, 0.05)).verdict.ruling == Ruling::holds);
    CHECK(exponent_claim(row, widths_like(row.exponent + 0.2, 2)).verdict.ruling == Ruling::undecided);
    auto found = widths_like(row.exponent - 0.5, 0.05);
    found[3].width = 0;
    CHECK(exponent_claim(row, found).verdict.ruling == Ruling::hypotheses_not_met);
  }
  // n log n is what Omega~(n) allows, and n^1.3 at n around 45 no more.
  CHECK(exponent_claim(row_of("Kawaguchi"), widths_like(1.15, 0.01)).verdict.ruling == Ruling::holds);
  CHECK(exponent_claim(row_of("Oymak"), widths_like(2.15, 0.01)).verdict.ruling == Ruling::fails);
}

TEST_CASE("the last layer fits real labels as soon as it has as many units as there are examples",
          "[lecture][overparameterization]") {
  // Square loss, last layer alone: least squares in m unknowns, solvable for random labels iff m >= n.
  BoundRow row = row_of("Kawaguchi");
  row.loss = EnsembleLoss::square;
  row.activation = Activation::relu;
  row.trained = {false, true};
  const WidthSearch search{
      .examples = {4, 6}, .dimension = 8, .seeds = 4, .max_steps = 10000, .relative_loss = 1e-3};
  for (const WidthFound& found : smallest_widths(row, search, Seed(1))) {
    CHECK(found.width >= found.examples);
    CHECK(found.width <= 8 * found.examples);
    CHECK(found.parameters == found.width);
  }
}

TEST_CASE("a search that is not allowed to succeed says so, and the same seed finds the same",
          "[lecture][overparameterization]") {
  const BoundRow row = row_of("Du");
  WidthSearch search{.examples = {16}, .dimension = 8, .seeds = 3, .max_steps = 3000, .max_width = 1};
  for (const WidthFound& found : smallest_widths(row, search, Seed(1))) CHECK(found.width == 0);
  search.max_width = 512;
  const auto once = smallest_widths(row, search, Seed(1));
  const auto again = smallest_widths(row, search, Seed(1));
  for (size_t i = 0; i < once.size(); ++i) {
    CHECK(once[i].width > 1);
    CHECK(once[i].width == again[i].width);
    CHECK(once[i].parameters == 8 * once[i].width);
  }
  CHECK_THROWS_AS(smallest_widths(row, {.examples = {}}, Seed(1)), ContractError);
}

TEST_CASE("the table of bounds has a claim, a curve and a line for each row",
          "[lecture][overparameterization]") {
  Systems registry;
  register_Systems_overparameterization_table(registry);
  const auto entry = registry.at("overparameterization_table");
  const Config config = Config::parse("{examples: [8, 12], seeds: 2, max_steps: 300, dimension: 6}");
  FieldReader reader(config);
  entry->fields(reader);
  reader.finish();
  const auto system = entry->make();
  const Evidence evidence = system->run({.seed = Seed(2), .data_folder = {}, .progress = {}});
  CHECK(system->statement().id == "S10");
  CHECK(evidence.claims.size() == 6);
  CHECK(evidence.figures.at(0).curves.size() == 6);
  CHECK(evidence.tables.at(0).table.rows.size() == 6);
  for (const auto& line : evidence.tables[0].table.rows)
    CHECK(line.size() == evidence.tables[0].table.header.size());
}
