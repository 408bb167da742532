#include <algorithm>
#include <cmath>
#include <set>

#include "plumb/lecture/smallest_width.hpp"

namespace plumb {
namespace {

struct OverparameterizationOptions {
  std::vector<std::string> rows;
  WidthSearch search;

  void fields(Fields& f) {
    f.field("rows", rows, "of the table, by the authors' names; empty: all");
    f.field("examples", search.examples, "numbers of examples n; two different ones or more", positive);
    f.field("dimension", search.dimension, "of the points on the sphere", positive);
    f.field("separation", search.separation,
            "smallest distance of two points in the rows that take the data for separated",
            Range{.low = 0, .high = 2, .says = "must lie between 0 and 2"});
    f.field("seeds", search.seeds, "draws of data and weights for every n", positive);
    f.field("max_steps", search.max_steps, "of gradient descent until a width counts as too small", positive);
    f.field("max_width", search.max_width, "where a search gives up", positive);
    f.field("relative_loss", search.relative_loss, "a square loss has been fitted at so much of L(0)",
            positive);
  }
};

/// Geometric mean over the draws with n examples, and half its 95 % interval; NaN where none ended.
struct MeanWidth {
  double width = 0, half_width = 0, parameters = 0;
};

MeanWidth mean_width(const std::vector<WidthFound>& found, int64_t n) {
  double sum = 0, squares = 0, parameters = 0, count = 0;
  for (const WidthFound& draw : found) {
    if (draw.examples != n || draw.width == 0) continue;
    const double log_width = std::log(static_cast<double>(draw.width));
    sum += log_width;
    squares += log_width * log_width;
    parameters += static_cast<double>(draw.parameters);
    ++count;
  }
  const double mean = sum / count;
  const double variance = std::max(0.0, squares / count - mean * mean) * count / (count - 1);
  const double spread =
      count < 2 ? NAN
                : theory::student_quantile_95(static_cast<int64_t>(count) - 1) * std::sqrt(variance / count);
  return {std::exp(mean), std::exp(mean) * spread, parameters / count};
}

class OverparameterizationTable final : public System {
 public:
  explicit OverparameterizationTable(const OverparameterizationOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S10", "How wide must a network be?",
        "Sufficient sizes for gradient descent to fit any labels: n^2 (Oymak & Soltanolkotabi), n (Kawaguchi "
        "& Huang, last layer), n^2 (Song & Yang), n^6 (Du et al.), n^8 L^12 (Zou & Gu), n^(3/2) (Song et al. "
        "2021, smooth activation).",
        "The entries of the table are sufficient conditions with constants that depend on the data (smallest "
        "kernel eigenvalue, separation) and on the probability of failure; Song et al. 2021, Table 1.",
        "The column mixes numbers of units and of parameters; at fixed input dimension both grow alike, "
        "except with three layers, where parameters grow as the square of the width. Sufficient is not "
        "necessary: a smaller measured exponent does not contradict, and a larger one in a finite range of n "
        "would not strictly either. Three things limit the width that is measured. Below n trained "
        "parameters "
        "the square loss cannot vanish, which alone gives exponent 1 at fixed dimension. Few units leave "
        "some "
        "example without an active one, however few examples there are: a floor of about ten units, so n "
        "must "
        "be several times that many dimensions. And the steps allowed are limited while kernels get worse "
        "conditioned as n grows and that raises the exponent. Kawaguchi & Huang prove theirs for analytic, "
        "Lipschitz, monotone activations with limits at both ends, such as softplus; the table says ReLU, "
        "and "
        "both are run. Their softplus is sharp, log(1 + exp(10 x))/10."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=[32, 64, 128, 256, 512]", "seeds=20", "max_steps=50000", "max_width=8192"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    const WidthSearch& search = options_.search;
    Evidence evidence;
    evidence.setting = fmt::format("n {} to {}  d {}  {} seeds  {} steps", search.examples.front(),
                                   search.examples.back(), search.dimension, search.seeds, search.max_steps);
    Figure figure{"smallest_width",
                  "Smallest width that gradient descent fits random labels with",
                  fmt::format("Geometric mean over {} draws of data and weights; bars: its 95 % interval.",
                              search.seeds),
                  {"examples n", true},
                  {"width m", true},
                  {}};
    NamedTable table{"Bounds and measured exponents", {}};
    table.table.text_columns = 3;
    table.table.header = {"reference", "setting", "sufficient", "exponent", "measured", "+-"};
    for (const int64_t n : search.examples) table.table.header.push_back(fmt::format("width at {}", n));
    table.table.header.push_back("parameters / n at the end");
    const std::vector<BoundRow> rows = chosen_rows();
    if (surroundings.progress)
      surroundings.progress(fmt::format("{} searches", rows.size() * search.examples.size()));
    const auto found = smallest_widths_of_all(rows, search, surroundings.seed);
    for (size_t i = 0; i < rows.size(); ++i) {
      evidence.claims.push_back(exponent_claim(rows[i], found[i]));
      figure.curves.push_back(curve_of(rows[i], found[i]));
      table.table.rows.push_back(line_of(rows[i], found[i]));
    }
    if (std::any_of(rows.begin(), rows.end(),
                    [](const BoundRow& row) { return row.loss == EnsembleLoss::square; }))
      evidence.claims.push_back(counting_claim(rows, found));
    evidence.figures.push_back(std::move(figure));
    evidence.tables.push_back(std::move(table));
    return evidence;
  }

 private:
  std::vector<BoundRow> chosen_rows() const {
    std::vector<BoundRow> rows = bound_rows();
    if (options_.rows.empty()) return rows;
    const auto left_out = [&](const BoundRow& row) {
      return std::find(options_.rows.begin(), options_.rows.end(), row.name) == options_.rows.end();
    };
    rows.erase(std::remove_if(rows.begin(), rows.end(), left_out), rows.end());
    return rows;
  }

  Curve curve_of(const BoundRow& row, const std::vector<WidthFound>& found) const {
    Curve curve;
    curve.label = row.reference;
    for (const int64_t n : options_.search.examples) {
      const MeanWidth mean = mean_width(found, n);
      curve.x.push_back(static_cast<double>(n));
      curve.y.push_back(mean.width);
      curve.error.push_back(mean.half_width);
    }
    return curve;
  }

  std::vector<std::string> line_of(const BoundRow& row, const std::vector<WidthFound>& found) const {
    const theory::PowerLaw law = width_law(found);
    std::vector<std::string> line{row.reference,
                                  row.setting,
                                  row.bound,
                                  fmt::format("{}", row.exponent),
                                  fmt::format("{:.2f}", law.exponent),
                                  fmt::format("{:.2f}", law.half_width)};
    for (const int64_t n : options_.search.examples)
      line.push_back(fmt::format("{:.1f}", mean_width(found, n).width));
    const int64_t last = options_.search.examples.back();
    line.push_back(fmt::format("{:.2f}", mean_width(found, last).parameters / static_cast<double>(last)));
    return line;
  }

  OverparameterizationOptions options_;
};

std::unique_ptr<System> make_overparameterization_table(const OverparameterizationOptions& options) {
  std::vector<std::string> known;
  for (const BoundRow& row : bound_rows()) known.push_back(row.name);
  for (const std::string& name : options.rows)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw ConfigError(fmt::format("overparameterization_table: rows: '{}' is not known{}", name,
                                    suggestion(name, known)));
  if (std::set<int64_t>(options.search.examples.begin(), options.search.examples.end()).size() < 2)
    throw ConfigError(
        "overparameterization_table: examples: two different numbers are needed for an exponent");
  // Below one half, drawing again until a point is far enough from the others takes two draws on average.
  const int64_t most = *std::max_element(options.search.examples.begin(), options.search.examples.end());
  const double covered =
      static_cast<double>(most) * cap_fraction(options.search.dimension, options.search.separation);
  if (covered > 0.5)
    throw ConfigError(
        fmt::format("overparameterization_table: separation: {} points in dimension {} that are {} apart "
                    "forbid {:.2f} of the sphere to the next one; at most 0.5 is taken",
                    most, options.search.dimension, options.search.separation, covered));
  return std::make_unique<OverparameterizationTable>(options);
}

}  // namespace

PLUMB_REGISTER(
    Systems, overparameterization_table, OverparameterizationOptions, make_overparameterization_table,
    "S10: the smallest width that works, over n, in the setting of each overparameterization bound")

}  // namespace plumb
