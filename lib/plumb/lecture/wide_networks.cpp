#include "plumb/lecture/wide_networks.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/theory/scaling_fit.hpp"

namespace plumb {
namespace {

struct WideNetworksOptions {
  int64_t examples = 80;
  int64_t dimension = 120;
  std::vector<int64_t> widths{128, 256, 512, 1024, 2048, 4096};
  int64_t starts = 3;
  int64_t steps = 100;
  double relative_step = 1;
  double delta = 0.1;

  void fields(Fields& f) {
    f.field("examples", examples, "n, drawn uniformly on the sphere, with targets N(0, 1)", positive);
    f.field("dimension", dimension, "d of the inputs", positive);
    f.field("widths", widths, "m, ascending", positive);
    f.field("starts", starts, "initial weights at every width", positive);
    f.field("steps", steps, "of gradient descent", positive);
    f.field("relative_step", relative_step, "eta as a multiple of 1/lambda_max(H^inf)",
            Range{.low = 0, .high = 2, .low_excluded = true, .says = "must lie between 0 and 2"});
    f.field("delta", delta, "the probability with which the theorem may fail",
            Range{.low = 0, .high = 1, .low_excluded = true, .says = "must lie between 0 and 1"});
  }
};

std::vector<double> step_axis(size_t count) {
  std::vector<double> steps;
  for (size_t k = 0; k < count; ++k) steps.push_back(static_cast<double>(k));
  return steps;
}

std::vector<double> shares(std::vector<double> numbers) {
  const double first = numbers.front();
  for (double& number : numbers) number /= first;
  return numbers;
}

/// One start of every width.
Figure contraction_figure(const std::vector<WideRun>& runs) {
  Figure figure;
  figure.name = "wide_networks";
  figure.title = "Gradient descent on wide networks, and the theorem's bound";
  figure.caption =
      "The share of the squared residual left after k steps, one start per width; the bound of Theorem 4.1, "
      "(1 - eta lambda_0/2)^k; and what the limit kernel predicts at infinite width.";
  figure.x = {"step k"};
  figure.y = {"||r_k||^2 / ||r_0||^2", true};
  int64_t drawn = 0;
  for (const WideRun& run : runs) {
    if (run.setting.width == drawn) continue;
    drawn = run.setting.width;
    figure.curves.push_back({fmt::format("width {}", drawn),
                             step_axis(run.squared_residuals.size()),
                             shares(run.squared_residuals),
                             {}});
  }
  const WideRun& widest = runs.back();
  figure.curves.push_back(
      {"infinite width", step_axis(widest.limit_path.size()), shares(widest.limit_path), {}});
  Curve bound{"bound", step_axis(widest.limit_path.size()), {}, {}};
  for (const double k : bound.x)
    bound.y.push_back(std::pow(1 - widest.setting.step * widest.setting.lambda0 / 2, k));
  figure.curves.push_back(bound);
  return figure;
}

/// Mean over starts; bars are half the range.
template <class Quantity>
Curve over_widths(const std::string& label, const std::vector<WideRun>& runs, const Quantity& quantity) {
  Curve curve{label, {}, {}, {}};
  for (size_t first = 0; first < runs.size();) {
    size_t last = first;
    double sum = 0, low = INFINITY, high = -INFINITY;
    for (; last < runs.size() && runs[last].setting.width == runs[first].setting.width; ++last) {
      const double number = quantity(runs[last]);
      sum += number;
      low = std::min(low, number);
      high = std::max(high, number);
    }
    curve.x.push_back(static_cast<double>(runs[first].setting.width));
    curve.y.push_back(sum / static_cast<double>(last - first));
    curve.error.push_back((high - low) / 2);
    first = last;
  }
  return curve;
}

Figure width_figure(const std::vector<WideRun>& runs) {
  Figure figure;
  figure.name = "wide_networks_scaling";
  figure.title = "What moves less in wider networks";
  figure.caption =
      "Mean over starts, bars half their range. Flips: the share of pairs (unit, example) whose activation "
      "changed. The line m^-1/2 passes through the first point of the furthest unit.";
  figure.x = {"width m", true};
  figure.y = {"at the last step", true};
  figure.curves = {
      over_widths("||W - W(0)||_F", runs, [](const WideRun& run) { return run.distance; }),
      over_widths("max ||w_r - w_r(0)||", runs, [](const WideRun& run) { return run.moved.back(); }),
      over_widths("||H - H(0)||_F", runs, [](const WideRun& run) { return run.drift.back(); }),
      over_widths("flips", runs, [](const WideRun& run) { return run.flips; })};
  Curve guide{"m^-1/2", figure.curves[1].x, {}, {}};
  for (const double width : guide.x) guide.y.push_back(figure.curves[1].y[0] * std::sqrt(guide.x[0] / width));
  figure.curves.push_back(guide);
  return figure;
}

NamedTable requirement_table(const WideRun& widest) {
  const theory::WideSetting& setting = widest.setting;
  const auto row = [](const std::string& what, double number) {
    return std::vector<std::string>{what, fmt::format("{:.3g}", number)};
  };
  return {"What the proofs ask for",
          {{"", "number"},
           {row("lambda_0", setting.lambda0),
            row("width for H(0), matrix Chernoff", theory::chernoff_width(setting)),
            row("width for H(0), Hoeffding entry by entry", theory::hoeffding_width(setting)),
            row("width of the proof, R' <= R", theory::proof_width(setting)),
            row("width of Theorem 4.1, n^6/(lambda_0^4 delta^3)", theory::theorem_width(setting)),
            row("largest width here", static_cast<double>(setting.width)),
            row("step of Theorem 4.1, lambda_0/n^2", theory::theorem_step(setting)),
            row("step here", setting.step), row("R' at the largest width", theory::movement_radius(setting)),
            row("R, within which Lemma 3.2 holds H", theory::stable_radius(setting)),
            row("furthest unit at the largest width", widest.moved.back())},
           1}};
}

class WideNetworks final : public System {
 public:
  explicit WideNetworks(const WideNetworksOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S9", "Gradient descent optimizes wide two-layer networks",
        "For a wide enough ReLU network the loss is PL near the start, gradient descent stays near the "
        "start, "
        "a global minimum lies there, and descent reaches it at a linear rate.",
        "f = (1/sqrt m) sum_r a_r relu(w_r.x), w_r(0) ~ N(0, I), a_r = +-1 fixed, L = 1/2 ||u - y||^2, "
        "||x_i|| = 1, no two parallel: if m = Omega(n^6/(lambda_0^4 delta^3)) and eta = O(lambda_0/n^2), "
        "then "
        "||u(k) - y||^2 <= (1 - eta lambda_0/2)^k ||u(0) - y||^2 for all k with probability 1 - delta; "
        "lambda_0 is the smallest eigenvalue of H^inf (Du, Zhai, Poczos, Singh 2019, Thm 4.1).",
        "The width of the theorem is out of reach by many orders of magnitude; its conclusions are judged "
        "without it, at steps of 1/lambda_max(H^inf) instead of lambda_0/n^2. The rate is one of the squared "
        "residual, whose slowest mode falls by (1 - eta lambda_0)^2: even exact proofs would leave it loose "
        "by "
        "a factor 4 in the exponent. Single units move as m^-1/2, all units together do not move less at "
        "larger width. m^-1/2 is an upper bound of the kernel's drift, reached by ReLU; smooth activations "
        "with random output signs do better (S8)."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=1000", "dimension=1000", "widths=[1000, 2000, 4000, 8000, 16000]", "starts=1"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    const std::vector<WideRun> runs = measure(surroundings);
    Evidence evidence;
    evidence.setting =
        fmt::format("n {}  d {}  widths {} to {}  {} starts  {} steps", options_.examples, options_.dimension,
                    options_.widths.front(), options_.widths.back(), options_.starts, options_.steps);
    evidence.claims = wide_networks_claims(runs);
    evidence.figures = {contraction_figure(runs), width_figure(runs)};
    evidence.tables = {requirement_table(runs.back())};
    const WideRun& widest = runs.back();
    evidence.remarks.push_back(
        fmt::format("At width {} the furthest unit moved by {:.3g}, R' is {:.3g}: the bound is loose {:.0f} "
                    "times, and the "
                    "width that the theorem asks for is {:.1g} times as large.",
                    widest.setting.width, widest.moved.back(), theory::movement_radius(widest.setting),
                    theory::movement_radius(widest.setting) / widest.moved.back(),
                    theory::theorem_width(widest.setting) / static_cast<double>(widest.setting.width)));
    return evidence;
  }

 private:
  std::vector<WideRun> measure(const Surroundings& surroundings) const {
    at::Generator problem_generator = surroundings.seed.stream("problem");
    const SphereProblem problem =
        draw_sphere_problem(options_.examples, options_.dimension, problem_generator);
    std::vector<WideRun> runs;
    for (const int64_t width : options_.widths)
      for (int64_t start = 0; start < options_.starts; ++start) {
        const std::string place = fmt::format("width {}, start {}", width, start);
        if (surroundings.progress) surroundings.progress(place);
        at::Generator generator = surroundings.seed.stream(place);
        runs.push_back(descend_wide_network(problem, width, options_.relative_step, options_.steps,
                                            options_.delta, generator));
        runs.back().place = place;
      }
    return runs;
  }

  WideNetworksOptions options_;
};

std::unique_ptr<System> make_wide_networks(const WideNetworksOptions& options) {
  const std::vector<int64_t>& widths = options.widths;
  if (widths.size() < 2 ||
      std::adjacent_find(widths.begin(), widths.end(), std::greater_equal<>()) != widths.end())
    throw ConfigError(
        fmt::format("wide_networks: widths [{}]; two or more in ascending order are needed for exponents",
                    fmt::join(widths, ", ")));
  if (options.examples < 2)
    throw ConfigError("wide_networks: 1 example; at least 2 are needed for a kernel between examples");
  return std::make_unique<WideNetworks>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, wide_networks, WideNetworksOptions, make_wide_networks,
               "S9: gradient descent on wide two-layer ReLU networks (Du et al. 2019)")

}  // namespace plumb
