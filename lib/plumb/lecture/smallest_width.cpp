#include "plumb/lecture/smallest_width.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// n points of the unit sphere, no two closer than `separation`.
Tensor separated_points(int64_t n, int64_t d, double separation, at::Generator& generator) {
  Tensor points = at::empty({n, d}, at::kDouble);
  int64_t kept = 0;
  for (int64_t tried = 0; kept < n; ++tried) {
    expects(tried < 1000 * n, "{} points of dimension {} were not found at distance {}", n, d, separation);
    const Tensor point = at::randn({d}, generator, at::kDouble);
    points[kept].copy_(point / point.norm());
    const Tensor distances = (points.slice(0, 0, kept) - points[kept]).norm(2, 1);
    if (kept == 0 || distances.min().item<double>() >= separation) ++kept;
  }
  return points;
}

struct DrawnData {
  Tensor inputs, targets;
};

DrawnData draw_data(const BoundRow& row, const WidthSearch& search, int64_t n, at::Generator generator) {
  DrawnData data;
  data.inputs = separated_points(n, search.dimension * row.dimension_factor,
                                 row.separated ? search.separation : 0, generator);
  data.targets = at::randn({n, 1}, generator, at::kDouble);
  if (!row.gaussian_labels) data.targets = data.targets.sign();
  return data;
}

/// Layers of `width` units: W ~ N(0, I) on the unit sphere, later ones N(0, 2/width), a random signs with
/// factor 1/sqrt(width).
EnsembleMember draw_member(const BoundRow& row, const DrawnData& data, int64_t width,
                           at::Generator generator) {
  EnsembleMember member{.inputs = data.inputs, .targets = data.targets, .weights = {}};
  const auto m = static_cast<double>(width);
  const int64_t d = data.inputs.size(1);
  member.weights.push_back(at::randn({width, d}, generator, at::kDouble) * row.sharpness);
  for (size_t layer = 1; layer + 1 < row.trained.size(); ++layer)
    member.weights.push_back(at::randn({width, width}, generator, at::kDouble) * std::sqrt(2 / m));
  const Tensor last = at::randn({1, width}, generator, at::kDouble);
  if (row.small_product) {
    member.weights.push_back(last / std::sqrt(static_cast<double>(d) * m));
  } else {
    member.weights.push_back(last.sign());
    member.scale = 1 / std::sqrt(m);
  }
  return member;
}

/// Of the tangent kernel sum_l (H_l H_l') o (D_l D_l') over the trained layers, H_l what a layer reads and
/// D_l the derivative of the output with respect to what it gives.
double largest_kernel_eigenvalue(const BoundRow& row, const EnsembleMember& member) {
  const at::AutoGradMode on(true);
  std::vector<Tensor> read, given;
  Tensor values = member.inputs;
  for (size_t l = 0; l < member.weights.size(); ++l) {
    read.push_back(values.detach());
    values = values.mm(member.weights[l].t());
    if (l == 0) values.requires_grad_(true);
    given.push_back(values);
    values = l + 1 < member.weights.size() ? activate(values, row.activation) : values * member.scale;
  }
  const auto derivatives = torch::autograd::grad({values.sum()}, given);
  Tensor kernel = at::zeros({member.inputs.size(0), member.inputs.size(0)}, at::kDouble);
  for (size_t l = 0; l < given.size(); ++l)
    if (row.trained[l]) kernel += read[l].mm(read[l].t()) * derivatives[l].mm(derivatives[l].t());
  return at::linalg_eigvalsh(kernel).max().item<double>();
}

int64_t trained_parameters(const BoundRow& row, const EnsembleMember& member) {
  int64_t count = 0;
  for (size_t l = 0; l < row.trained.size(); ++l)
    if (row.trained[l]) count += member.weights[l].numel();
  return count;
}

/// The bisection of one draw of data: every width up to `fails` failed, `works` worked (0: none yet).
struct Bracket {
  DrawnData data;
  int64_t fails = 0, works = 0, parameters = 0;

  bool done(int64_t limit) const {
    return works > 0 ? works - fails <= std::max<int64_t>(1, works / 16) : 2 * fails > limit;
  }
  int64_t next() const { return works > 0 ? (fails + works) / 2 : std::max<int64_t>(1, 2 * fails); }
};

/// One training for each bracket that is open, at its next width; all together.
void advance_brackets(std::vector<Bracket>& brackets, const BoundRow& row, const WidthSearch& search,
                      const Seed& seed) {
  EnsembleOptions options;
  options.activation = row.activation;
  options.loss = row.loss;
  options.trained = row.trained;
  options.evaluate_every = 10;
  options.max_steps = row.patience * search.max_steps;
  if (row.loss == EnsembleLoss::square)
    options.relative_loss = search.relative_loss;
  else
    options.accuracy = 1;
  std::vector<EnsembleMember> members;
  std::vector<Bracket*> open;
  for (size_t i = 0; i < brackets.size(); ++i) {
    Bracket& bracket = brackets[i];
    if (bracket.done(search.max_width)) continue;
    const std::string purpose =
        fmt::format("weights {} {} {}", bracket.data.inputs.size(0), i, bracket.next());
    members.push_back(draw_member(row, bracket.data, bracket.next(), seed.stream(purpose)));
    // A network whose units are all off has no kernel; no step moves it.
    const double largest = largest_kernel_eigenvalue(row, members.back());
    const double smoothness = row.loss == EnsembleLoss::square ? 1 : 0.25;
    members.back().learning_rate = largest > 0 ? 1 / (smoothness * largest) : 0;
    open.push_back(&bracket);
  }
  const std::vector<MemberOutcome> outcomes = train_ensemble(members, options);
  for (size_t i = 0; i < open.size(); ++i) {
    const int64_t width = open[i]->next();
    if (outcomes[i].converged()) {
      open[i]->works = width;
      open[i]->parameters = trained_parameters(row, members[i]);
    } else {
      open[i]->fails = width;
    }
  }
}

std::vector<WidthFound> widths_at(int64_t n, const BoundRow& row, const WidthSearch& search,
                                  const Seed& seed) {
  std::vector<Bracket> brackets;
  for (int64_t i = 0; i < search.seeds; ++i)
    brackets.push_back({draw_data(row, search, n, seed.stream(fmt::format("data {} {}", n, i)))});
  const auto open = [&](const Bracket& bracket) { return !bracket.done(search.max_width); };
  while (std::any_of(brackets.begin(), brackets.end(), open)) advance_brackets(brackets, row, search, seed);
  std::vector<WidthFound> found;
  for (const Bracket& bracket : brackets) found.push_back({n, bracket.works, bracket.parameters});
  return found;
}

BoundRow oymak_row() {
  BoundRow row{.name = "oymak_soltanolkotabi",
               .reference = "Oymak & Soltanolkotabi 2020",
               .setting = "two layers, first trained, square loss, ReLU, sphere, random signs",
               .bound = "Omega(n^2) parameters",
               .exponent = 2};
  row.trained = {true, false};
  return row;
}

BoundRow kawaguchi_row(Activation activation, const std::string& name, const std::string& spoken) {
  BoundRow row{
      .name = name,
      .reference = "Kawaguchi & Huang 2019, " + spoken,
      .setting = fmt::format(
          "two layers, last trained, logistic loss, {}, sphere in 3 d dimensions, random signs", spoken),
      .bound = "Omega~(n) parameters",
      .exponent = 1,
      .logarithms = true};
  row.trained = {false, true};
  row.loss = EnsembleLoss::logistic;
  row.patience = 3;
  row.activation = activation;
  // Only m counts against n here, and features of more dimensions are better conditioned: fewer steps.
  row.dimension_factor = 3;
  // softplus(a x)/a comes near ReLU as a grows; at a = 1 its features of the sphere are nearly linear.
  if (activation == Activation::softplus) row.sharpness = 10;
  return row;
}

BoundRow song_row() {
  BoundRow row{
      .name = "song",
      .reference = "Song et al. 2021",
      .setting = "two layers, both trained, square loss, GELU, sphere in 2 d dimensions, random signs",
      .bound = "Omega~(n^(3/2)) parameters",
      .exponent = 1.5,
      .logarithms = true};
  row.trained = {true, true};
  row.activation = Activation::gelu;
  // Smooth units are worse conditioned; in 2 d dimensions gradient descent is through in as many steps.
  row.dimension_factor = 2;
  row.small_product = true;
  return row;
}

}  // namespace

std::vector<BoundRow> bound_rows() {
  const BoundRow oymak = oymak_row();
  BoundRow song_yang = oymak;
  song_yang.name = "song_yang";
  song_yang.reference = "Song & Yang 2019";
  song_yang.setting = "two layers, first trained, square loss, ReLU, separated points, random signs";
  song_yang.separated = true;
  BoundRow du = oymak;
  du.name = "du";
  du.reference = "Du, Zhai, Poczos, Singh 2019";
  du.setting = "two layers, first trained, square loss, ReLU, sphere, labels N(0, 1)";
  du.bound = "Omega(n^6) units";
  du.exponent = 6;
  du.gaussian_labels = true;
  BoundRow zou = song_yang;
  zou.name = "zou_gu";
  zou.reference = "Zou & Gu 2019";
  zou.setting = "three layers, first two trained, square loss, ReLU, separated points, random signs";
  zou.bound = "Omega(n^8 L^12) units";
  zou.exponent = 8;
  zou.trained = {true, true, false};
  return {oymak,
          kawaguchi_row(Activation::softplus, "kawaguchi_huang", "softplus"),
          kawaguchi_row(Activation::relu, "kawaguchi_huang_relu", "ReLU"),
          song_yang,
          du,
          zou,
          song_row()};
}

double cap_fraction(int64_t d, double distance) {
  const double angle = 2 * std::asin(std::min(1.0, distance / 2));
  if (d == 1) return distance < 2 ? 0.5 : 1;
  // int_0^angle sin^(d-2) / int_0^pi sin^(d-2), by midpoints.
  const auto integral = [&](double end) {
    constexpr int parts = 2000;
    double sum = 0;
    for (int i = 0; i < parts; ++i)
      sum += std::pow(std::sin((i + 0.5) * end / parts), static_cast<double>(d - 2));
    return sum * end / parts;
  };
  return integral(angle) / integral(M_PI);
}

std::vector<WidthFound> smallest_widths(const BoundRow& row, const WidthSearch& search, const Seed& seed) {
  return smallest_widths_of_all({row}, search, seed)[0];
}

std::vector<std::vector<WidthFound>> smallest_widths_of_all(const std::vector<BoundRow>& rows,
                                                            const WidthSearch& search, const Seed& seed) {
  expects(!search.examples.empty() && search.seeds > 0, "a search needs numbers of examples and seeds");
  const size_t sizes = search.examples.size(), tasks = rows.size() * sizes;
  std::vector<std::vector<WidthFound>> parts(tasks);
  // Each thread takes the next search that nobody has; the large ones come first.
  std::atomic<size_t> taken = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread)
      for (size_t task = taken++; task < tasks; task = taken++) {
        const size_t row = task % rows.size(), size = sizes - 1 - task / rows.size();
        parts[row * sizes + size] = widths_at(search.examples[size], rows[row], search, seed);
      }
  });
  std::vector<std::vector<WidthFound>> found(rows.size());
  for (size_t i = 0; i < tasks; ++i)
    found[i / sizes].insert(found[i / sizes].end(), parts[i].begin(), parts[i].end());
  return found;
}

theory::PowerLaw width_law(const std::vector<WidthFound>& found) {
  std::vector<double> n, width;
  for (const WidthFound& draw : found) {
    if (draw.width == 0) continue;
    n.push_back(static_cast<double>(draw.examples));
    width.push_back(static_cast<double>(draw.width));
  }
  return theory::fit_power_law(n, width);
}

Claim exponent_claim(const BoundRow& row, const std::vector<WidthFound>& found) {
  double log_n = 0, ended = 0;
  for (const WidthFound& draw : found) {
    log_n += std::log(static_cast<double>(draw.examples)) / static_cast<double>(found.size());
    ended += draw.width > 0 ? 1 : 0;
  }
  const theory::PowerLaw law = width_law(found);
  theory::Prediction prediction;
  prediction.quantity = "p in smallest width ~ n^p";
  prediction.relation = theory::Relation::at_most;
  prediction.value = row.exponent;
  prediction.absolute_tolerance = row.logarithms ? 1 / log_n : 0;
  prediction.assumptions = {{"every search found a width that works", ended, theory::Relation::at_least,
                             static_cast<double>(found.size())}};
  prediction.source = row.reference;
  return judged(fmt::format("{}: in the setting \"{}\" the smallest width that gradient descent fits the "
                            "labels with grows no faster than {}",
                            row.reference, row.setting, row.bound),
                prediction, {law.exponent, law.half_width, ""});
}

Claim counting_claim(const std::vector<BoundRow>& rows, const std::vector<std::vector<WidthFound>>& found) {
  expects(rows.size() == found.size(), "{} rows and what was found for {}", rows.size(), found.size());
  std::vector<double> least;
  std::vector<std::string> places;
  double ended = 1;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].loss != EnsembleLoss::square) continue;
    double ratio = INFINITY;
    for (const WidthFound& draw : found[i]) {
      if (draw.width == 0) ended = 0;
      ratio = std::min(ratio, static_cast<double>(draw.parameters) / static_cast<double>(draw.examples));
    }
    least.push_back(ratio);
    places.push_back(rows[i].reference);
  }
  theory::PredictedSeries prediction =
      theory::predicted_series("least parameters / n", theory::Relation::at_least, "Sard's theorem");
  prediction.values.assign(least.size(), 1);
  prediction.assumptions = {theory::requires_at_least("every search found a width that works", ended, 1)};
  return judged(
      "With the square loss nothing fits random labels that has fewer trained parameters than "
      "there are examples",
      prediction, least, places);
}

}  // namespace plumb
