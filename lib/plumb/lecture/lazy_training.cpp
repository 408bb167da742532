#include "plumb/lecture/lazy_training.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <torch/torch.h>

namespace plumb {
namespace {

struct LazyTrainingOptions {
  int64_t examples = 40;
  int64_t dimension = 40;
  Activation smooth = Activation::tanh;
  std::vector<int64_t> widths{64, 128, 256, 512, 1024, 2048};
  int64_t alpha_width = 200;
  std::vector<int64_t> alphas{4, 8, 16, 32, 64};
  int64_t starts = 4;
  int64_t steps = 100;
  double relative_step = 1;

  void fields(Fields& f) {
    f.field("examples", examples, "n, drawn uniformly on the sphere, with targets N(0, 1)", positive);
    f.field("dimension", dimension, "d of the inputs", positive);
    f.field("smooth", smooth, "the activation beside ReLU: tanh or softplus", activation_names);
    f.field("widths", widths, "m of the plain networks, ascending", positive);
    f.field("alpha_width", alpha_width, "m of the networks that are multiplied by alpha, even", positive);
    f.field("alphas", alphas, "multiples of the network, ascending", positive);
    f.field("starts", starts, "initial weights of every network", positive);
    f.field("steps", steps, "of gradient descent", positive);
    f.field("relative_step", relative_step, "gamma as a multiple of 1/lambda_max(G(0))",
            Range{.low = 0, .high = 1, .low_excluded = true, .says = "must lie between 0 and 1"});
  }
};

Curve lazy_path(const std::string& label, const std::vector<double>& norms) {
  Curve curve{label, {}, {}, {}};
  for (size_t k = 0; k < norms.size(); ++k) {
    curve.x.push_back(static_cast<double>(k));
    curve.y.push_back(norms[k] / norms[0]);
  }
  return curve;
}

Figure lazy_residual_figure(const LazyRuns& runs) {
  const LazyRun& narrow = runs.relu_widths.front();
  const LazyRun& wide = runs.relu_widths.back();
  Figure figure;
  figure.name = "lazy_training";
  figure.title = "A ReLU network, its linearized model and the prediction";
  figure.caption =
      "Residuals of one start at the smallest and the largest width; of the linearized model, whose weights "
      "are "
      "trained; of (I - gamma G(0))^k r_0, computed from the kernel at the start; and the contraction by its "
      "smallest eigenvalue, a bound.";
  figure.x = {"step k"};
  figure.y = {"||r_k|| / ||r_0||", true};
  figure.curves = {lazy_path(fmt::format("network, width {}", narrow.setting.width), narrow.network),
                   lazy_path(fmt::format("linearized, width {}", narrow.setting.width), narrow.linearized),
                   lazy_path(fmt::format("network, width {}", wide.setting.width), wide.network),
                   lazy_path(fmt::format("linearized, width {}", wide.setting.width), wide.linearized),
                   lazy_path(fmt::format("predicted, width {}", wide.setting.width), wide.constant.values),
                   lazy_path("(1 - gamma lambda_min)^k", wide.contraction.values)};
  return figure;
}

/// Means over starts of runs that are ordered by `x`.
Curve lazy_means(const std::string& label, const std::vector<LazyRun>& runs,
                 const std::function<double(const LazyRun&)>& x, double LazyRun::*number) {
  Curve curve{label, {}, {}, {}};
  for (size_t first = 0; first < runs.size();) {
    size_t last = first;
    double sum = 0;
    for (; last < runs.size() && x(runs[last]) == x(runs[first]); ++last) sum += runs[last].*number;
    curve.x.push_back(x(runs[first]));
    curve.y.push_back(sum / static_cast<double>(last - first));
    first = last;
  }
  return curve;
}

Figure lazy_width_figure(const LazyRuns& runs) {
  const auto width = [](const LazyRun& run) { return static_cast<double>(run.setting.width); };
  const std::string smooth = activation_names[static_cast<size_t>(runs.smooth)];
  Figure figure;
  figure.name = "lazy_training_width";
  figure.title = "How far networks are from lazy, over width";
  figure.caption =
      "Means over starts. Weights: ||w - w_0||/||w_0||. Kernel: the largest ||G(k) - G(0)||/||G(0)||. Model: "
      "the "
      "largest distance between network and linearized model, as a share of ||r_0||.";
  figure.x = {"width m", true};
  figure.y = {"relative change", true};
  figure.curves = {lazy_means("ReLU weights", runs.relu_widths, width, &LazyRun::movement),
                   lazy_means("ReLU kernel", runs.relu_widths, width, &LazyRun::drift),
                   lazy_means("ReLU model", runs.relu_widths, width, &LazyRun::linearization),
                   lazy_means(smooth + " weights", runs.smooth_widths, width, &LazyRun::movement),
                   lazy_means(smooth + " kernel", runs.smooth_widths, width, &LazyRun::drift),
                   lazy_means(smooth + " model", runs.smooth_widths, width, &LazyRun::linearization)};
  return figure;
}

Figure lazy_alpha_figure(const LazyRuns& runs) {
  const auto alpha = [](const LazyRun& run) { return run.setting.alpha; };
  Figure figure;
  figure.name = "lazy_training_alpha";
  figure.title = "How far networks are from lazy, over their scale alpha";
  figure.caption =
      "Means over starts, one width. Centred: h(w_0) is subtracted. Mirrored: every unit has a twin of "
      "opposite "
      "sign, which cancels the first-order change of the kernel.";
  figure.x = {"alpha", true};
  figure.y = {"relative change", true};
  figure.curves = {lazy_means("centred weights", runs.smooth_centred, alpha, &LazyRun::movement),
                   lazy_means("centred kernel", runs.smooth_centred, alpha, &LazyRun::drift),
                   lazy_means("centred model", runs.smooth_centred, alpha, &LazyRun::linearization),
                   lazy_means("mirrored kernel", runs.smooth_mirrored, alpha, &LazyRun::drift),
                   lazy_means("mirrored model", runs.smooth_mirrored, alpha, &LazyRun::linearization),
                   lazy_means("ReLU centred, kernel", runs.relu_centred, alpha, &LazyRun::drift)};
  return figure;
}

NamedTable lazy_table(const LazyRuns& runs) {
  NamedTable table{"First start of every network",
                   {{"network", "lambda_min(G(0))", "lambda_max(G(0))", "min_k lambda_min(G(k))", "drift",
                     "movement", "h - h_lin", "one-step errors"},
                    {},
                    1}};
  for (const std::vector<LazyRun>* list : {&runs.relu_widths, &runs.smooth_widths, &runs.relu_centred,
                                           &runs.smooth_centred, &runs.smooth_mirrored})
    for (const LazyRun& run : *list) {
      if (!run.place.ends_with("start 0")) continue;
      std::vector<std::string> row{run.place};
      for (const double number : {run.lambda_min, run.lambda_max, run.lowest * run.lambda_min, run.drift,
                                  run.movement, run.linearization, run.one_step_gap})
        row.push_back(fmt::format("{:.3g}", number));
      table.table.rows.push_back(row);
    }
  return table;
}

class LazyTraining final : public System {
 public:
  explicit LazyTraining(const LazyTrainingOptions& options) : options_(options) {}

  Statement statement() const override {
    return {"S8", "Lazy training: networks that train like linear models",
            "The linearized model h(w_0) + <w - w_0, grad h(w_0)> has the residual y - h(w_{k+1}) = (I - "
            "gamma G) "
            "(y - h(w_k)) with G = G(0); a network whose kernel G(k) stays near G(0) follows it, and "
            "contracts if "
            "lambda_min(G(0)) > 0.",
            "In the NTK parameterization, for gamma < 2/(lambda_min + lambda_max), ||f_t - f_t^lin||, ||w_t "
            "- w_0||/"
            "sqrt(m) and ||G(t) - G(0)||_F are O(m^-1/2) (Lee et al. 2019, Thm 2.1). Training alpha h on "
            "1/(2 alpha^2) "
            "||alpha h - y||^2 with h(w_0) = 0 makes ||w - w_0|| and the distance to the linearized model "
            "O(1/alpha) "
            "(Chizat, Oyallon, Bach 2019, sec. 2).",
            "The residual recursion is an equality for linear models only; gamma is the step for 1/2 ||r||^2 "
            "and twice "
            "the step for ||r||^2. m^-1/2 is a bound: with output weights of random sign the leading term "
            "averages out "
            "for smooth activations, whose kernel drifts nearly as 1/m; ReLU reaches the bound. Mirrored "
            "units are not "
            "just a way of centring: they cancel the first order, so that 1/alpha becomes alpha^-2. The "
            "theorem on "
            "alpha asks for a differentiable h, and ReLU's kernel drifts as alpha^-1/2 about."};
  }

  std::vector<std::string> paper_size() const override {
    return {"examples=100", "dimension=100", "widths=[64, 256, 1024, 4096, 8192]", "starts=5"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    const LazyRuns runs = measure(surroundings);
    Evidence evidence;
    evidence.setting =
        fmt::format("n {}  d {}  widths {} to {}  alpha {} to {} at width {}  {} starts", options_.examples,
                    options_.dimension, options_.widths.front(), options_.widths.back(),
                    options_.alphas.front(), options_.alphas.back(), options_.alpha_width, options_.starts);
    evidence.claims = lazy_training_claims(runs);
    evidence.figures = {lazy_residual_figure(runs), lazy_width_figure(runs), lazy_alpha_figure(runs)};
    evidence.tables = {lazy_table(runs)};
    return evidence;
  }

 private:
  LazyRuns measure(const Surroundings& surroundings) const {
    at::Generator generator = surroundings.seed.stream("problem");
    const at::TensorOptions doubles(at::kDouble);
    const Tensor directions = at::randn({options_.examples, options_.dimension}, generator, doubles);
    const Tensor inputs = directions / directions.norm(2, 1, true);
    const Tensor targets = at::randn({options_.examples}, generator, doubles);
    const auto add = [&](std::vector<LazyRun>& runs, LazySetting setting, const std::string& what) {
      setting.steps = options_.steps;
      setting.relative_step = options_.relative_step;
      if (surroundings.progress) surroundings.progress(what);
      for (int64_t start = 0; start < options_.starts; ++start) {
        // The same weights at every alpha, so that starts do not blur its effect.
        at::Generator weights =
            surroundings.seed.stream(fmt::format("width {}, start {}", setting.width, start));
        runs.push_back(train_lazily(setting, inputs, targets, weights));
        runs.back().place = fmt::format("{}, start {}", what, start);
      }
    };
    const std::string smooth = activation_names[static_cast<size_t>(options_.smooth)];
    LazyRuns runs;
    runs.smooth = options_.smooth;
    for (const int64_t width : options_.widths) {
      add(runs.relu_widths, {Activation::relu, width}, fmt::format("ReLU, width {}", width));
      add(runs.smooth_widths, {options_.smooth, width}, fmt::format("{}, width {}", smooth, width));
    }
    for (const int64_t multiple : options_.alphas) {
      const auto alpha = static_cast<double>(multiple);
      const int64_t width = options_.alpha_width;
      add(runs.smooth_centred, {options_.smooth, width, alpha, LazyStart::centred},
          fmt::format("{} centred, alpha {}", smooth, multiple));
      add(runs.smooth_mirrored, {options_.smooth, width, alpha, LazyStart::mirrored},
          fmt::format("{} mirrored, alpha {}", smooth, multiple));
      add(runs.relu_centred, {Activation::relu, width, alpha, LazyStart::centred},
          fmt::format("ReLU centred, alpha {}", multiple));
    }
    return runs;
  }

  LazyTrainingOptions options_;
};

std::unique_ptr<System> make_lazy_training(const LazyTrainingOptions& options) {
  const auto ascending = [](std::string_view name, const std::vector<int64_t>& numbers) {
    if (numbers.size() < 2 ||
        std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>()) != numbers.end())
      throw ConfigError(
          fmt::format("lazy_training: {} [{}]; two or more in ascending order are needed for exponents", name,
                      fmt::join(numbers, ", ")));
  };
  ascending("widths", options.widths);
  ascending("alphas", options.alphas);
  if (options.alpha_width % 2 != 0)
    throw ConfigError(
        fmt::format("lazy_training: alpha_width {}; mirrored units need an even one", options.alpha_width));
  if (options.smooth != Activation::tanh && options.smooth != Activation::softplus)
    throw ConfigError(fmt::format("lazy_training: smooth {}; tanh and softplus are measured",
                                  activation_names[static_cast<size_t>(options.smooth)]));
  return std::make_unique<LazyTraining>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, lazy_training, LazyTrainingOptions, make_lazy_training,
               "S8: networks beside their linearized models, over width and over scale")

}  // namespace plumb
