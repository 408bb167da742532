// Oracles: widths made to follow a power law; dimension counting; brute force over all widths.
#include "plumb/lecture/smallest_width.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/lecture/lecture.hpp"

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
  REQUIRE(bound_rows().size() == 7);
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

TEST_CASE("a network that fits with fewer parameters than examples is caught",
          "[lecture][overparameterization]") {
  const std::vector<BoundRow> rows{row_of("Du"), row_of("softplus"), row_of("Song et al")};
  std::vector<std::vector<WidthFound>> found{{{10, 3, 12}, {20, 5, 20}}, {{10, 3, 3}}, {{10, 2, 10}}};
  CHECK(counting_claim(rows, found).verdict.ruling == Ruling::holds);
  CHECK(counting_claim(rows, found).verdict.measured == 1);
  found[2][0].parameters = 9;
  CHECK(counting_claim(rows, found).verdict.ruling == Ruling::fails);
  CHECK(counting_claim(rows, found).verdict.place.find("Song et al") != std::string::npos);
  found[0][1] = {20, 0, 0};
  CHECK(counting_claim(rows, found).verdict.ruling == Ruling::hypotheses_not_met);
  CHECK_THROWS_AS(counting_claim(rows, {{}}), ContractError);
}

TEST_CASE("the part of a sphere near a point is the fraction of random points there",
          "[lecture][overparameterization]") {
  CHECK(cap_fraction(1, 1) == 0.5);
  CHECK(cap_fraction(2, std::sqrt(2.0)) == Approx(0.5));
  CHECK(cap_fraction(3, 1) == Approx(0.25));  // Archimedes: distance^2/4
  CHECK(cap_fraction(10, 2) == Approx(1));
  at::Generator generator = Seed(3).stream("points");
  const at::Tensor points = at::randn({20000, 5}, generator, at::kDouble);
  const at::Tensor first = (points / points.norm(2, 1, true)).select(1, 0);
  const double near = (2 - 2 * first).sqrt().lt(0.9).to(at::kDouble).mean().item<double>();
  CHECK(near == Approx(cap_fraction(5, 0.9)).margin(0.011));  // 5 deviations
}

TEST_CASE("searches on several threads find what each finds alone", "[lecture][overparameterization]") {
  const std::vector<BoundRow> rows{row_of("Du"), row_of("ReLU")};
  const WidthSearch search{.examples = {8, 12}, .dimension = 6, .seeds = 2, .max_steps = 300};
  at::set_num_threads(2);
  const auto together = smallest_widths_of_all(rows, search, Seed(4));
  at::set_num_threads(1);
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto alone = smallest_widths(rows[row], search, Seed(4));
    REQUIRE(together[row].size() == 4);
    for (size_t i = 0; i < 4; ++i) {
      CHECK(together[row][i].examples == alone[i].examples);
      CHECK(together[row][i].width == alone[i].width);
    }
  }
}

TEST_CASE("the last layer fits real labels as soon as it has as many units as there are examples",
          "[lecture][overparameterization]") {
  // Square loss, last layer alone: least squares in m unknowns, solvable for random labels iff m >= n.
  BoundRow row = row_of("Kawaguchi");
  row.loss = EnsembleLoss::square;
  row.activation = Activation::relu;
  row.sharpness = 1;
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
  CHECK(evidence.claims.size() == 8);
  CHECK(evidence.figures.at(0).curves.size() == 7);
  CHECK(evidence.tables.at(0).table.rows.size() == 7);
  for (const auto& line : evidence.tables[0].table.rows)
    CHECK(line.size() == evidence.tables[0].table.header.size());
}

TEST_CASE("a table that cannot be measured is refused with its place", "[lecture][overparameterization]") {
  const auto refused = [](const std::string& options, const std::string& message) {
    CHECK_THROWS_WITH(LectureExperiment::read(Config::parse(
                          "system: {type: overparameterization_table, " + options + "}", "table.yaml")),
                      ContainsSubstring("table.yaml:1:9") && ContainsSubstring(message));
  };
  refused("examples: [8, 8]", "two different numbers are needed");
  refused("rows: [due]", "rows: 'due' is not known; did you mean 'du'?");
  refused("dimension: 3, separation: 0.9", "forbid");
}
