#include <cmath>
#include <set>

#include "plumb/lecture/smallest_width.hpp"

namespace plumb {
namespace {

struct OverparameterizationOptions {
  WidthSearch search;

  void fields(Fields& f) {
    f.field("examples", search.examples, "numbers of examples n; two different ones or more", positive);
    f.field("dimension", search.dimension, "of the points on the sphere", positive);
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
        "would not strictly either. The measured width depends on the number of steps allowed. Kawaguchi & "
        "Huang prove theirs for analytic activations and the table says ReLU, which is what is run here; "
        "being "
        "convex, their row is given three times as many steps."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=[16, 32, 64, 128, 256, 512]", "dimension=16", "seeds=20", "max_steps=20000",
            "max_width=8192"};
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
    for (const BoundRow& row : bound_rows()) {
      if (surroundings.progress) surroundings.progress(row.reference);
      const auto found = smallest_widths(row, search, surroundings.seed);
      evidence.claims.push_back(exponent_claim(row, found));
      figure.curves.push_back(curve_of(row, found));
      table.table.rows.push_back(line_of(row, found));
    }
    evidence.figures.push_back(std::move(figure));
    evidence.tables.push_back(std::move(table));
    return evidence;
  }

 private:
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
  if (std::set<int64_t>(options.search.examples.begin(), options.search.examples.end()).size() < 2)
    throw ConfigError(
        "overparameterization_table: examples: two different numbers are needed for an exponent");
  return std::make_unique<OverparameterizationTable>(options);
}

}  // namespace

PLUMB_REGISTER(
    Systems, overparameterization_table, OverparameterizationOptions, make_overparameterization_table,
    "S10: the smallest width that works, over n, in the setting of each overparameterization bound")

}  // namespace plumb
