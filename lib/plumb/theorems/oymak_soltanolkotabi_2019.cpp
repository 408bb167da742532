// The short path of gradient descent on nonlinear least squares (Oymak and Soltanolkotabi, ICML 2019), on a
// recorded run. Its constants must hold on the whole ball of radius 4 ||r_0||/alpha. For two layers with tanh
// they follow from the data and the width; for other networks nothing is known of the ball beyond the path,
// and claims that need it are undecided.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plumb/theorems/descent_facts.hpp"
#include "plumb/theorems/theorem.hpp"
#include "plumb/theory/nonlinear_least_squares.hpp"

namespace plumb {
namespace {

using theory::Assumption;

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

struct OymakSoltanolkotabi2019Options : TheoremOptions {};

/// f(x) = (1/sqrt m) sum_r a_r tanh(w_r.x) with a_r = +-1, of which the w_r are trained; its width m, or
/// none.
std::optional<double> tanh_width(const RecordedRun& run) {
  const std::optional<TwoLayerOptions> model = two_layer_of(run);
  const bool such = model && model->activation == Activation::tanh && !model->bias &&
                    model->train == TrainedLayers::first && model->output_weights == OutputWeights::signs &&
                    model->last_deviation.value_or(1) == 1 &&
                    model->parameterization == TwoLayerParameterization::ntk && model->alpha == 1;
  return such ? std::optional(static_cast<double>(model->width)) : std::nullopt;
}

/// The run's numbers, and the constants of the theorem for it.
class ShortPathRecord {
 public:
  ShortPathRecord(const RecordedRun& run, const std::vector<ProbeRequest>& needs, int64_t examples)
      : facts_(descent_facts(run)),
        examples_(examples),
        tables_({find_probe(run, needs[0]), find_probe(run, needs[1]), find_probe(run, needs[2])}) {
    for (const double loss : tables_.column(1, "loss")) residuals_.push_back(std::sqrt(loss / facts_.factor));
    const std::vector<double> smallest = tables_.column(0, "lambda_min_lower");
    sigma_start_ = std::sqrt(smallest.front());
    local_.initial_residual = residuals_.front();
    local_.step = 2 * facts_.factor * facts_.step;  // of 1/2 ||f - y||^2, whatever the factor of the loss
    local_.observed_smallest = std::sqrt(theory::least(smallest));
    local_.observed_norm = std::sqrt(theory::greatest(tables_.column(0, "lambda_max")));
    const Table& inputs = find_probe(run, needs[3])->table;
    const double norm = std::sqrt(inputs.column("gram_norm").front());
    const double longest = 1 + inputs.column("norm_error").front();
    if (const auto width = tanh_width(run)) {
      // |tanh'| <= 1 and |tanh''| <= 4/(3 sqrt 3).
      local_.beta = norm;
      local_.lipschitz = 4 / (3 * std::sqrt(3.0)) * longest * norm / std::sqrt(*width);
    } else {
      local_.beta = not_known;
      local_.lipschitz = not_known;
    }
    choose_alpha();
  }

  const theory::LocalJacobian& local() const { return local_; }
  const JoinedTables& tables() const { return tables_; }
  const std::vector<double>& residuals() const { return residuals_; }
  const DescentFacts& facts() const { return facts_; }

  std::vector<Assumption> assumptions() const {
    std::vector<Assumption> all{facts_.square_loss, covers_training_set(examples_, facts_.examples)};
    std::ranges::copy(facts_.gradient_descent, std::back_inserter(all));
    all.push_back(theory::requires_at_least(
        "sigma_min(J) >= alpha on the whole ball: sigma_min(J(w_0)) - lipschitz R >= alpha; known of two "
        "layers "
        "with tanh alone",
        sigma_start_ - local_.lipschitz * theory::short_path_radius(local_), local_.alpha * (1 - 1e-9)));
    return all;
  }

 private:
  /// The largest alpha with alpha <= sigma_min(J(w_0)) - lipschitz R(alpha), R = 4 ||r_0||/alpha; where there
  /// is none, or the constant is not known, half of sigma_min(J(w_0)).
  void choose_alpha() {
    const double root = sigma_start_ * sigma_start_ - 16 * local_.lipschitz * local_.initial_residual;
    local_.alpha = root >= 0 ? (sigma_start_ + std::sqrt(root)) / 2 : sigma_start_ / 2;
  }

  DescentFacts facts_;
  int64_t examples_;
  JoinedTables tables_;
  std::vector<double> residuals_;
  theory::LocalJacobian local_;
  double sigma_start_ = 0;
};

class OymakSoltanolkotabi2019 final : public Theorem {
 public:
  explicit OymakSoltanolkotabi2019(OymakSoltanolkotabi2019Options options) : options_(std::move(options)) {}

  TheoremText text() const override {
    return {
        "The short path of gradient descent",
        "L = 1/2 ||f(w) - y||^2, r_t = f(w_t) - y, J the derivatives of f. If alpha <= sigma_min(J) and ||J|| <= "
        "beta on the ball of radius R = 4 ||r_0||/alpha around w_0, J is Lipschitz there, and eta <= 1/(2 "
        "beta^2) min(1, alpha^2/(lipschitz ||r_0||)), then ||r_t||^2 <= (1 - eta alpha^2/2)^t ||r_0||^2, "
        "alpha/4 ||w_t - w_0|| + ||r_t|| <= ||r_0||, and the path is no longer than R.",
        "Oymak and Soltanolkotabi 2019 (Overparameterized nonlinear learning), sec. 2",
        "alpha is the largest one that the bounds of the ball allow, from sigma_min(J(w_0)) and the Lipschitz "
        "constant; where there is none, half of sigma_min(J(w_0)). Claims are judged at the recorded steps."};
  }

  std::vector<ProbeRequest> needs() const override {
    return {options_.request_on_examples("tangent_kernel", "certificate: true, outputs: pairs"),
            options_.request("gradient", "loss_examples: none"),
            options_.request("parameter_distance", "path_every: 1"), options_.request_on_examples("inputs")};
  }

  std::vector<Assumption> hypotheses(const RecordedRun& run) const override {
    const ShortPathRecord record(run, needs(), options_.examples);
    return with(record, theory::short_path_loss(record.local(), {0})).assumptions;
  }

  std::vector<Claim> claims(const RecordedRun& run) const override {
    const ShortPathRecord record(run, needs(), options_.examples);
    const std::vector<double>& all = record.tables().steps();
    // At step 0 both sides are the same number, which would hide the margin.
    const size_t first = all.size() > 1 ? 1 : 0;
    std::vector<double> steps, squares, trades;
    std::vector<int64_t> counts;
    const std::vector<std::string> all_places = record.tables().places();
    const std::vector<std::string> places(all_places.begin() + static_cast<std::ptrdiff_t>(first),
                                          all_places.end());
    const std::vector<double> moved = record.tables().column(2, "distance");
    for (size_t i = first; i < all.size(); ++i) {
      steps.push_back(all[i]);
      counts.push_back(static_cast<int64_t>(all[i]));
      squares.push_back(record.residuals()[i] * record.residuals()[i]);
      trades.push_back(record.local().alpha / 4 * moved[i] + record.residuals()[i]);
    }
    theory::PredictedSeries loss = with(record, theory::short_path_loss(record.local(), counts));
    loss.relative_tolerance = std::sqrt(record.facts().rounding);
    loss.absolute_tolerance = record.facts().loss_floor(std::pow(record.local().initial_residual, 2));
    theory::PredictedSeries trade = with(record, theory::short_path_trade(record.local(), counts.size()));
    trade.relative_tolerance = std::sqrt(record.facts().rounding);
    std::vector<Claim> claims{
        judged("The residual contracts: ||r_t||^2 <= (1 - eta alpha^2/2)^t ||r_0||^2", loss, squares, places),
        judged("Distance is paid for by residual: alpha/4 ||w_t - w_0|| + ||r_t|| <= ||r_0||", trade, trades,
               places),
        judged("The path is no longer than 4 ||r_0||/alpha",
               with(record, theory::short_path_length(record.local())),
               {record.tables().column(2, "path_length").back(), 0, places.back()})};
    claims[0].series = {"step", steps, squares, loss.values};
    claims[1].series = {"step", steps, trades, trade.values};
    return claims;
  }

 private:
  template <class Prediction>
  static Prediction with(const ShortPathRecord& record, Prediction prediction) {
    std::vector<Assumption> all = record.assumptions();
    std::ranges::move(prediction.assumptions, std::back_inserter(all));
    prediction.assumptions = std::move(all);
    return prediction;
  }

  OymakSoltanolkotabi2019Options options_;
};

std::unique_ptr<Theorem> make_oymak_soltanolkotabi_2019(const OymakSoltanolkotabi2019Options& options) {
  return std::make_unique<OymakSoltanolkotabi2019>(options);
}

}  // namespace

PLUMB_REGISTER(Theorems, oymak_soltanolkotabi_2019, OymakSoltanolkotabi2019Options,
               make_oymak_soltanolkotabi_2019,
               "gradient descent on least squares goes a short path (Oymak and Soltanolkotabi 2019)")

}  // namespace plumb
