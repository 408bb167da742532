#include "plumb/lecture/soudry_carmon.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/rank.hpp"
#include "plumb/autograd/functional.hpp"

namespace plumb {
namespace {

using theory::NoisyLayer;
using theory::Relation;
using theory::Ruling;

struct SoudryCarmonOptions {
  int64_t examples = 40;
  int64_t dimension = 10;
  int64_t width = 10;
  double negative_slope = 0.1;
  double noise = 1;
  int64_t draws = 20;
  int64_t steps = 40'000;

  void fields(Fields& f) {
    f.field("examples", examples, "n, more than the dimension and at most dimension times width", positive);
    f.field("dimension", dimension, "of the inputs", positive);
    f.field("width", width, "hidden units", positive);
    f.field("negative_slope", negative_slope, "of leaky ReLU", positive);
    f.field("noise", noise, "multiplicative noise is uniform on [1 - noise/2, 1 + noise/2]",
            {.low = 0, .high = 1.9, .low_excluded = true, .says = "must lie above 0 and not above 1.9"});
    f.field("draws", draws, "of each setting", positive);
    f.field("steps", steps, "of gradient descent at most", positive);
  }
};

Tensor noise_factors(int64_t n, int64_t units, double spread, at::Generator& generator) {
  return 1 + spread * (at::rand({n, units}, generator, at::TensorOptions(at::kDouble)) - 0.5);
}

/// One layer with its inputs, noise and labels. float64.
struct SoudryLayer {
  Tensor inputs, weights, output_weights, noise, labels;
  double slope = 0;

  Tensor slopes() const {
    const Tensor z = at::mm(inputs, weights.t());
    return noise * torch::where(z > 0, torch::ones_like(z), torch::full_like(z, slope));
  }
  Tensor residual() const { return at::mv(at::mm(inputs, weights.t()) * slopes(), output_weights) - labels; }
  Tensor gradient(const Tensor& e) const {
    const Tensor by_unit = e.unsqueeze(1) * slopes() * output_weights;
    return at::mm(by_unit.t(), inputs) * (2.0 / static_cast<double>(inputs.size(0)));
  }
};

LocalMinimum minimum_at(const NoisyLayer& layer, const SoudryLayer& at, int64_t steps) {
  LocalMinimum minimum;
  minimum.layer = layer;
  minimum.steps = steps;
  const Tensor e = at.residual();
  minimum.error = e.square().mean().item<double>();
  minimum.gradient_norm = at.gradient(e).norm().item<double>();
  const Tensor values =
      singular_values(theory::hidden_layer_jacobian(at.inputs, at.slopes(), at.output_weights));
  minimum.smallest = values.numel() < layer.n ? 0 : values[layer.n - 1].item<double>();
  minimum.clearance = at::mm(at.inputs, at.weights.t()).abs().min().item<double>();
  return minimum;
}

/// The rank of a layer's Jacobian; its own entries are rounded, so exact arithmetic is done on what they are
/// products of.
theory::Bounds layer_rank(const Tensor& jacobian, const Tensor& inputs, const Tensor& slopes,
                          const Tensor& output_weights) {
  const RankReport report = rank_of_matrix(jacobian, {.exact_work = 0});
  theory::Bounds rank = theory::bounds_of(report);
  if (!report.resolved)
    rank.upper = static_cast<double>(theory::exact_hidden_layer_rank(inputs, slopes, output_weights));
  return rank;
}

Tensor random_signs(int64_t n, at::Generator& generator) {
  return at::randint(2, {n}, generator, at::TensorOptions(at::kDouble)) * 2 - 1;
}

std::vector<theory::Measured> measured_ranks(const RankDraws& draws) {
  std::vector<theory::Measured> measured;
  for (const theory::Bounds& rank : draws.ranks)
    measured.push_back(theory::Measured::within(rank, draws.place));
  return measured;
}

Claim rank_claim(std::string statement, const RankDraws& draws, Ruling expected) {
  theory::PredictedSeries series = theory::predicted_series("rank J", Relation::equal, "Soudry, Carmon 2016");
  series.values.assign(draws.ranks.size(), draws.generic());
  series.relative_tolerance = 0;
  return judged(std::move(statement), series, measured_ranks(draws), expected);
}

/// The theorem with its hypotheses, in every draw.
Claim noisy_rank_claim(std::string statement, const RankDraws& draws, Ruling expected) {
  const theory::Prediction theorem = theory::noisy_layer_rank(draws.layer);
  theory::PredictedSeries series =
      theory::predicted_series(theorem.quantity, theorem.relation, theorem.source);
  series.values.assign(draws.ranks.size(), theorem.value);
  series.relative_tolerance = 0;
  series.assumptions = theorem.assumptions;
  return judged(std::move(statement), series, measured_ranks(draws), expected);
}

std::vector<Claim> minimum_claims(const SoudryCarmonRuns& runs) {
  const LocalMinimum& trained = runs.trained;
  const double gradient = trained.gradient_norm / (2 * trained.smallest);
  theory::Prediction zero_gradient =
      theory::predicted("||grad MSE||", Relation::equal, 0, "construction: a minimum of its linear piece");
  zero_gradient.absolute_tolerance = 1e-12;
  return {judged("with noise the error is bounded by the gradient: MSE <= n ||grad MSE||^2/(4 sigma_n(J)^2)",
                 theory::predicted("MSE", Relation::at_most,
                                   static_cast<double>(trained.layer.n) * gradient * gradient,
                                   "||J^T e|| >= sigma_n(J) ||e||"),
                 {trained.error, 0, fmt::format("step {}", trained.steps)}),
          judged("with noise gradient descent ends at a differentiable local minimum of error 0",
                 theory::no_bad_local_minima(trained.layer, 1e-18), {trained.error, 0, ""}),
          judged("without noise there is a point, all units in one cone, with gradient 0", zero_gradient,
                 {runs.one_cone.gradient_norm, 0, ""}),
          judged("and it lies away from the kinks, so that it is a differentiable local minimum",
                 theory::predicted("min |w_r.x_i|", Relation::at_least, 1e-9, "construction"),
                 {runs.one_cone.clearance, 0, ""}),
          judged("that it has error 0, as n <= d0 d1 alone would have it, would be too much",
                 theory::predicted("MSE", Relation::at_most, 1e-18, "slides, without the noise"),
                 {runs.one_cone.error, 0, ""}, Ruling::fails)};
}

/// "38.5", or bounds of it where ranks are not resolved.
std::string mean_rank_text(const RankDraws& draws) {
  double lower = 0, upper = 0;
  for (const theory::Bounds& rank : draws.ranks) {
    lower += rank.lower;
    upper += rank.upper;
  }
  const auto count = static_cast<double>(draws.ranks.size());
  return lower == upper ? fmt::format("{:.1f}", lower / count)
                        : fmt::format("{:.1f} .. {:.1f}", lower / count, upper / count);
}

class SoudryCarmon final : public System {
 public:
  explicit SoudryCarmon(const SoudryCarmonOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S4", "No bad local minima (Soudry and Carmon 2016)",
        "For one hidden layer of leaky ReLU and n <= d0 d1 the Jacobian has rank n almost surely, so that "
        "every differentiable local minimum has error 0; with L layers the last two decide.",
        "The activations carry multiplicative noise, drawn once for every unit and example. Then rank J = "
        "min(n, d0 d1) for almost every input and noise, and a differentiable local minimum has MSE 0 if "
        "n <= d_{L-2} d_{L-1}.",
        "The noise is not a convenience of the proof. Without it units that point one way give rank d0, "
        "inputs in a plane give few sign patterns, and ReLU leaves examples without an active unit."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=200", "dimension=20", "width=20", "draws=200", "steps=200000"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    at::Generator generator = surroundings.seed.stream("layers");
    const SoudryCarmonRuns runs = measure(generator);
    Evidence evidence;
    evidence.setting =
        fmt::format("n {}  d0 {}  d1 {}  slope {}  noise {}  {} draws", options_.examples, options_.dimension,
                    options_.width, options_.negative_slope, options_.noise, options_.draws);
    evidence.claims = soudry_carmon_claims(runs);
    evidence.figures = {plane_figure(generator)};
    std::vector<RankDraws> all = runs.noisy;
    all.insert(all.end(), {runs.relu_noisy, runs.cone, runs.plane, runs.relu});
    all.push_back(draw(layer(options_.examples, options_.dimension, options_.width, 0), generator));
    NamedTable table{"Ranks", {{"setting", "min(n, d0 d1)", "mean rank J", "share of full rank"}, {}, 1}};
    for (const RankDraws& one : all)
      table.table.rows.push_back({one.place, fmt::format("{:.0f}", one.generic()), mean_rank_text(one),
                                  fmt::format("{:.2f}", one.full_share())});
    evidence.tables = {table};
    evidence.remarks = {
        fmt::format("Gradient descent with noise: MSE {:.1e} and gradient {:.1e} after {} steps. The local "
                    "minimum without noise: MSE {:.3f} with gradient {:.1e}.",
                    runs.trained.error, runs.trained.gradient_norm, runs.trained.steps, runs.one_cone.error,
                    runs.one_cone.gradient_norm),
        fmt::format(
            "Gaussian units on inputs in {} dimensions had full rank without noise in {:.0f} of 100 draws, "
            "too (last row of the table): what fails is the statement for every point.",
            options_.dimension, 100 * all.back().full_share())};
    return evidence;
  }

 private:
  NoisyLayer layer(int64_t n, int64_t d0, int64_t d1, double spread) const {
    return {n, d0, d1, options_.negative_slope, spread, 1};
  }
  RankDraws draw(const NoisyLayer& of, at::Generator& generator,
                 UnitDirections directions = UnitDirections::gaussian, int64_t below = 0) const {
    return draw_ranks(of, directions, below, options_.draws, generator);
  }

  SoudryCarmonRuns measure(at::Generator& generator) const {
    const int64_t n = options_.examples;
    const int64_t d0 = options_.dimension;
    const int64_t d1 = options_.width;
    const double noise = options_.noise;
    SoudryCarmonRuns runs;
    runs.noisy = {draw(layer(n, d0, d1, noise), generator), draw(layer(d0 * d1, d0, d1, noise), generator),
                  draw(layer(2 * d0 * d1, d0, d1, noise), generator),
                  draw(layer(n, d0, d1, noise), generator, UnitDirections::one_cone),
                  draw(layer(200, 2, 100, noise), generator)};
    for (const int64_t below : {1, 2, 4})
      runs.noisy.push_back(draw(layer(d0 * d1, d0, d1, noise), generator, UnitDirections::gaussian, below));
    runs.cone = draw(layer(n, d0, d1, 0), generator, UnitDirections::one_cone);
    runs.plane = draw(layer(200, 2, 100, 0), generator);
    runs.relu = draw({100, 20, 5, 0, 0, 1}, generator);
    runs.relu_noisy = draw({100, 20, 5, 0, noise, 1}, generator);
    runs.trained = train_noisy_layer(layer(n, d0, d1, noise), options_.steps, generator);
    runs.one_cone = one_cone_minimum(layer(n, d0, d1, 0), generator);
    return runs;
  }

  Figure plane_figure(at::Generator& generator) const {
    Figure figure;
    figure.name = "soudry_carmon";
    figure.title = "Rank of the Jacobian of 60 units on n inputs in a plane";
    figure.caption =
        "One draw at each n. Without noise the inputs see few patterns of active units, and the rank stays "
        "behind min(n, 120).";
    figure.x = {"examples n"};
    figure.y = {"rank J"};
    figure.curves = {{"leaky ReLU with noise", {}, {}, {}},
                     {"leaky ReLU", {}, {}, {}},
                     {"ReLU", {}, {}, {}},
                     {"min(n, d0 d1)", {}, {}, {}}};
    for (int64_t n = 10; n <= 150; n += 20) {
      const NoisyLayer settings[] = {
          layer(n, 2, 60, options_.noise), layer(n, 2, 60, 0), {n, 2, 60, 0, 0, 1}};
      for (size_t i = 0; i < 3; ++i)
        figure.curves[i].y.push_back(
            draw_ranks(settings[i], UnitDirections::gaussian, 0, 1, generator).ranks[0].lower);
      figure.curves[3].y.push_back(static_cast<double>(std::min<int64_t>(n, 120)));
      for (Curve& curve : figure.curves) curve.x.push_back(static_cast<double>(n));
    }
    return figure;
  }

  SoudryCarmonOptions options_;
};

std::unique_ptr<System> make_soudry_carmon(const SoudryCarmonOptions& options) {
  if (options.examples <= options.dimension || options.examples > options.dimension * options.width)
    throw ConfigError(
        fmt::format("soudry_carmon: examples {}; more than the dimension {} and at most dimension times "
                    "width, {}, are expected",
                    options.examples, options.dimension, options.dimension * options.width));
  return std::make_unique<SoudryCarmon>(options);
}

}  // namespace

double RankDraws::generic() const { return static_cast<double>(std::min(layer.n, layer.d0 * layer.d1)); }

double RankDraws::full_share() const {
  return static_cast<double>(std::count(ranks.begin(), ranks.end(), theory::Bounds(generic()))) /
         static_cast<double>(ranks.size());
}

RankDraws draw_ranks(const NoisyLayer& layer, UnitDirections directions, int64_t below, int64_t draws,
                     at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  RankDraws result;
  result.layer = layer;
  result.place = fmt::format("{}, d0 {}, d1 {}, n {}", layer.negative_slope == 0 ? "ReLU" : "leaky ReLU",
                             layer.d0, layer.d1, layer.n);
  if (below > 0) result.place += fmt::format(", {} hidden layers", below + 1);
  if (directions == UnitDirections::one_cone) result.place += ", one cone";
  if (layer.noise_spread > 0) result.place += ", noise";
  for (int64_t draw = 0; draw < draws; ++draw) {
    Tensor features = at::randn({layer.n, layer.d0}, generator, doubles);
    for (int64_t l = 0; l < below; ++l) {
      const Tensor weights = at::randn({layer.d0, layer.d0}, generator, doubles);
      features = at::leaky_relu(at::mm(features, weights.t()), layer.negative_slope) *
                 noise_factors(layer.n, layer.d0, layer.noise_spread, generator);
    }
    Tensor weights = at::randn({layer.d1, layer.d0}, generator, doubles);
    if (directions == UnitDirections::one_cone) weights = weights[0] + 1e-6 * weights;
    const Tensor output_weights = at::randn({layer.d1}, generator, doubles);
    const Tensor noise = noise_factors(layer.n, layer.d1, layer.noise_spread, generator);
    const Tensor jacobian = autograd::functional::jacobian(
                                [&](const Tensor& w) {
                                  const Tensor hidden =
                                      at::leaky_relu(at::mm(features, w.t()), layer.negative_slope) * noise;
                                  return at::mv(hidden, output_weights);
                                },
                                weights)
                                .reshape({layer.n, -1});
    const Tensor z = at::mm(features, weights.t());
    const Tensor slopes =
        torch::where(z > 0, torch::ones_like(z), torch::full_like(z, layer.negative_slope)) * noise;
    result.ranks.push_back(layer_rank(jacobian, features, slopes, output_weights));
    result.layer.smallest_output_weight =
        std::min(result.layer.smallest_output_weight, output_weights.abs().min().item<double>());
  }
  return result;
}

LocalMinimum train_noisy_layer(const NoisyLayer& layer, int64_t most_steps, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  SoudryLayer at;
  at.inputs = at::randn({layer.n, layer.d0}, generator, doubles);
  at.weights = at::randn({layer.d1, layer.d0}, generator, doubles) / std::sqrt(layer.d0);
  at.output_weights = random_signs(layer.d1, generator) / std::sqrt(layer.d1);
  at.noise = noise_factors(layer.n, layer.d1, layer.noise_spread, generator);
  at.labels = random_signs(layer.n, generator);
  at.slope = layer.negative_slope;
  const double largest =
      singular_values(theory::hidden_layer_jacobian(at.inputs, at.slopes(), at.output_weights))[0]
          .item<double>();
  // Half of 2/(the largest eigenvalue of the Gauss-Newton matrix 2/n J^T J), which moves little.
  const double step = static_cast<double>(layer.n) / (2 * largest * largest);
  Tensor gradient = at.gradient(at.residual());
  const double enough = 1e-12 * gradient.norm().item<double>();
  int64_t done = 0;
  for (; done < most_steps && gradient.norm().item<double>() > enough; ++done) {
    at.weights = at.weights - step * gradient;
    gradient = at.gradient(at.residual());
  }
  NoisyLayer with_outputs = layer;
  with_outputs.smallest_output_weight = at.output_weights.abs().min().item<double>();
  return minimum_at(with_outputs, at, done);
}

LocalMinimum one_cone_minimum(const NoisyLayer& layer, at::Generator& generator) {
  const at::TensorOptions doubles(at::kDouble);
  SoudryLayer at;
  at.inputs = at::randn({layer.n, layer.d0}, generator, doubles);
  at.slope = layer.negative_slope;
  at.noise = torch::ones({layer.n, layer.d1}, torch::kDouble);
  at.output_weights = at::rand({layer.d1}, generator, doubles) + 0.5;
  const Tensor shares = at::rand({layer.d1}, generator, doubles) + 0.5;
  const Tensor u = at::randn({layer.d0}, generator, doubles);
  at.weights = at::outer(shares / at::dot(shares, at.output_weights), u);
  // The features that the network is linear in, and labels whose part outside their span is no one's to fit.
  const Tensor features = at.inputs * at.slopes().select(1, 0).unsqueeze(1);
  const Tensor any = at::randn({layer.n}, generator, doubles);
  const Tensor outside = any - at::mv(features, at::mv(at::linalg_pinv(features), any));
  at.labels = at::mv(features, u) + outside;
  return minimum_at(layer, at, 0);
}

std::vector<Claim> soudry_carmon_claims(const SoudryCarmonRuns& runs) {
  std::vector<Claim> claims;
  for (const RankDraws& draws : runs.noisy)
    claims.push_back(noisy_rank_claim(
        "with multiplicative noise rank J = min(n, d0 d1) in every draw (" + draws.place + ")", draws,
        Ruling::holds));
  claims.push_back(noisy_rank_claim("for ReLU the theorem says nothing, noise or not, and rank J is less",
                                    runs.relu_noisy, Ruling::hypotheses_not_met));
  RankDraws in_cone = runs.cone;
  in_cone.layer.n = in_cone.layer.d0;  // so that the generic rank is d0
  claims.push_back(rank_claim("without noise units in one cone give rank J = d0", in_cone, Ruling::holds));
  claims.push_back(
      rank_claim("that they give rank n, because n <= d0 d1, would be too much", runs.cone, Ruling::fails));
  claims.push_back(
      rank_claim("without noise rank n for inputs in a plane would be too much", runs.plane, Ruling::fails));
  claims.push_back(rank_claim("rank n for few ReLU units would be too much", runs.relu, Ruling::fails));
  for (Claim& claim : minimum_claims(runs)) claims.push_back(std::move(claim));
  return claims;
}

PLUMB_REGISTER(Systems, soudry_carmon, SoudryCarmonOptions, make_soudry_carmon,
               "S4: rank of the Jacobian and local minima of leaky ReLU layers, with and without noise")

}  // namespace plumb
