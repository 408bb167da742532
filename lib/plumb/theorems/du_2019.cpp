// Gradient descent on wide two-layer ReLU networks (Du, Zhai, Poczos and Singh, ICLR 2019): Theorem 4.1 and
// the lemmas it rests on, each with its own hypotheses. The bounds are those of theory/wide_networks.hpp;
// here they meet a recorded run.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>

#include "plumb/theorems/descent_facts.hpp"
#include "plumb/theorems/theorem.hpp"
#include "plumb/theory/wide_networks.hpp"

namespace plumb {
namespace {

using theory::Assumption;
using theory::PredictedSeries;
using theory::Relation;

struct Du2019Options : TheoremOptions {
  double delta = 0.1;

  void fields(Fields& f) {
    TheoremOptions::fields(f);
    f.field("delta", delta, "the probability with which the theorem may fail",
            Range{.low = 0, .high = 1, .low_excluded = true, .says = "must lie between 0 and 1"});
  }
};

/// What of the network is not as in the paper; empty when all is.
std::vector<std::string> differences_from_paper(const RecordedRun& run) {
  const std::optional<TwoLayerOptions> model = two_layer_of(run);
  if (!model) return {fmt::format("the model is {}, not plumb's two_layer", run.setting("model"))};
  std::vector<std::string> differences;
  const auto differs = [&](bool different, std::string what) {
    if (different) differences.push_back(std::move(what));
  };
  differs(model->activation != Activation::relu, "the activation is no relu");
  differs(model->bias, "units have biases");
  differs(model->train != TrainedLayers::first, "not the first layer alone is trained");
  differs(model->output_weights != OutputWeights::signs || model->last_deviation.value_or(1) != 1,
          "output weights are not +-1");
  differs(model->parameterization != TwoLayerParameterization::ntk || model->alpha != 1,
          "the outputs are not scaled by 1/sqrt m");
  differs(model->first_deviation.value_or(1) != 1, "w_r(0) is not drawn from N(0, I)");
  differs(model->antisymmetric, "units come in pairs of opposite sign");
  differs(run.setting("initial_weights") != "drawn", "the initial weights are not drawn at random");
  return differences;
}

/// What was recorded of the run, and the theorem's numbers for it.
class WideRecord {
 public:
  WideRecord(const RecordedRun& run, const std::vector<ProbeRequest>& needs, const Du2019Options& options)
      : facts_(descent_facts(run)),
        differences_(differences_from_paper(run)),
        examples_(options.examples),
        tables_({find_probe(run, needs[0]), find_probe(run, needs[1]), find_probe(run, needs[2])}) {
    const Table& inputs = find_probe(run, needs[3])->table;
    const auto first = [&](std::string_view column) { return inputs.column(column).front(); };
    setting_.n = facts_.examples;
    if (const auto model = two_layer_of(run)) setting_.width = model->width;
    setting_.step = 2 * facts_.factor * facts_.step;  // of 1/2 ||u - y||^2, whatever the factor of the loss
    setting_.delta = options.delta;
    setting_.lambda0 = first("limit_lambda_min");
    setting_.gram_norm = first("gram_norm");
    setting_.largest_cosine = first("largest_cosine");
    setting_.norm_error = first("norm_error");
    setting_.largest_target = first("largest_target");
    setting_.target_bound = setting_.largest_target;  // the smallest C is the most favourable
    for (const double loss : tables_.column(1, "loss")) squared_residuals_.push_back(loss / facts_.factor);
    setting_.initial_residual = std::sqrt(squared_residuals_.front());
    limit_distance_ = first("limit_distance");
  }

  const theory::WideSetting& setting() const { return setting_; }
  const JoinedTables& tables() const { return tables_; }
  const std::vector<double>& squared_residuals() const { return squared_residuals_; }
  double limit_distance() const { return limit_distance_; }
  const DescentFacts& facts() const { return facts_; }
  /// A bound that depends on the width m; NaN for a network that has none.
  double of_width(double bound) const {
    return setting_.width > 0 ? bound : std::numeric_limits<double>::quiet_NaN();
  }

  /// What every claim assumes: the paper's network on all examples.
  std::vector<Assumption> network() const {
    return {
        requires_true("the network is f = (1/sqrt m) sum_r a_r relu(w_r.x), a_r = +-1, and descent moves the "
                      "w_r alone",
                      differences_.empty(), fmt::format("here {}", fmt::join(differences_, ", "))),
        covers_training_set(examples_, facts_.examples)};
  }
  /// What claims along the run assume beside.
  std::vector<Assumption> descent() const {
    std::vector<Assumption> all = network();
    all.push_back(facts_.square_loss);
    std::ranges::copy(facts_.gradient_descent, std::back_inserter(all));
    return all;
  }

 private:
  DescentFacts facts_;
  std::vector<std::string> differences_;
  int64_t examples_;
  JoinedTables tables_;
  theory::WideSetting setting_;
  std::vector<double> squared_residuals_;
  double limit_distance_ = 0;
};

template <class Prediction>
Prediction under(std::vector<Assumption> assumptions, Prediction prediction) {
  std::ranges::move(prediction.assumptions, std::back_inserter(assumptions));
  prediction.assumptions = std::move(assumptions);
  return prediction;
}

Claim along_run(std::string statement, PredictedSeries series, const std::vector<theory::Measured>& measured,
                const std::vector<double>& steps) {
  Claim claim = judged(std::move(statement), series, measured);
  claim.series = {"step", steps, {}, series.values};
  for (const theory::Measured& one : measured)
    claim.series.measured.push_back(one.range ? one.range->lower : one.value);
  return claim;
}

class Du2019 final : public Theorem {
 public:
  explicit Du2019(Du2019Options options) : options_(std::move(options)) {}

  TheoremText text() const override {
    return {
        "Gradient descent optimizes wide two-layer ReLU networks",
        "f(x) = (1/sqrt m) sum_r a_r relu(w_r.x), w_r(0) ~ N(0, I), a_r = +-1 fixed; L = 1/2 ||u - y||^2, u "
        "the n predictions; ||x_i|| = 1, no two parallel, |y_i| <= C; H^inf_ij = E_w [x_i.x_j 1{w.x_i > 0, "
        "w.x_j > 0}], lambda_0 = lambda_min(H^inf). If m = Omega(n^6/(lambda_0^4 delta^3)) and eta = "
        "O(lambda_0/n^2), then with probability 1 - delta ||u(k) - y||^2 <= (1 - eta lambda_0/2)^k ||u(0) - "
        "y||^2 for all k.",
        "Du, Zhai, Poczos and Singh 2019, Thm 4.1, Lemmas 3.1 and 3.2, Cor. 4.1",
        "The constants that Omega and O hide are taken as 1. The width is far beyond what is trained; the "
        "conclusions are measured all the same, and the verdict says whether they are true without it; of a "
        "network that is not the paper's, H is its tangent kernel. The rate is loose by a factor 4 in the "
        "exponent even where nothing else is. Claims along the run are judged at the recorded steps."};
  }

  std::vector<ProbeRequest> needs() const override {
    return {options_.request_on_examples("tangent_kernel", "certificate: true, outputs: pairs"),
            options_.request("gradient", "loss_examples: none"), options_.request("neuron_movement"),
            options_.request_on_examples("inputs", "kernel: true")};
  }

  std::vector<Assumption> hypotheses(const RecordedRun& run) const override {
    const WideRecord record(run, needs(), options_);
    return under(record.descent(), theory::squared_residual(record.setting(), {0})).assumptions;
  }

  std::vector<Claim> claims(const RecordedRun& run) const override {
    const WideRecord record(run, needs(), options_);
    return {limit_claim(record),    distance_claim(record), start_claim(record),
            definite_claim(record), residual_claim(record), movement_claim(record)};
  }

 private:
  static Claim limit_claim(const WideRecord& record) {
    return judged("The limit kernel is definite: lambda_0 = lambda_min(H^inf) > 0",
                  theory::limit_kernel_definite(record.setting()), {record.setting().lambda0, 0, ""});
  }

  static Claim distance_claim(const WideRecord& record) {
    theory::Prediction prediction = theory::initial_kernel_distance(record.setting());
    prediction.value = record.of_width(prediction.value);
    return judged(
        "The kernel at the start is near its limit: ||H(0) - H^inf||_F <= n sqrt(log(n(n+1)/delta)/(2m))",
        under(record.network(), prediction), {record.limit_distance(), 0, "step 0"});
  }

  static Claim start_claim(const WideRecord& record) {
    theory::Measured first = eigenvalues(record).front();
    return judged("The kernel at the start is definite: lambda_min(H(0)) >= 3/4 lambda_0",
                  under(record.network(), theory::initial_kernel_definite(record.setting())), first);
  }

  static Claim definite_claim(const WideRecord& record) {
    return along_run("Descent stays where the kernel is definite: lambda_min(H(k)) >= lambda_0/2",
                     under(record.descent(),
                           theory::kernel_stays_definite(record.setting(), record.tables().steps().size())),
                     eigenvalues(record), record.tables().steps());
  }

  static Claim residual_claim(const WideRecord& record) {
    const std::vector<double>& all = record.tables().steps();
    const std::vector<std::string> places = record.tables().places();
    std::vector<int64_t> steps;
    std::vector<double> x;
    std::vector<theory::Measured> measured;
    // At step 0 both sides are the same number, which would hide the margin.
    for (size_t i = all.size() > 1 ? 1 : 0; i < all.size(); ++i) {
      x.push_back(all[i]);
      steps.push_back(static_cast<int64_t>(all[i]));
      measured.push_back({record.squared_residuals()[i], 0, places[i]});
    }
    PredictedSeries series = under(record.descent(), theory::squared_residual(record.setting(), steps));
    series.relative_tolerance = std::sqrt(record.facts().rounding);
    series.absolute_tolerance = record.facts().loss_floor(record.squared_residuals().front());
    return along_run("The residual contracts: ||u(k) - y||^2 <= (1 - eta lambda_0/2)^k ||u(0) - y||^2",
                     series, measured, x);
  }

  static Claim movement_claim(const WideRecord& record) {
    std::vector<theory::Measured> measured;
    const std::vector<double> moved = record.tables().column(2, "largest");
    const std::vector<std::string> places = record.tables().places();
    for (size_t i = 0; i < moved.size(); ++i) measured.push_back({moved[i], 0, places[i]});
    PredictedSeries series = under(record.descent(), theory::weight_movement(record.setting(), moved.size()));
    for (double& bound : series.values) bound = record.of_width(bound);
    return along_run("No unit moves further than R' = 4 sqrt(n) ||u(0) - y||/(sqrt(m) lambda_0)", series,
                     measured, record.tables().steps());
  }

  /// lambda_min(H(k)) between its certain bounds.
  static std::vector<theory::Measured> eigenvalues(const WideRecord& record) {
    const std::vector<double> lower = record.tables().column(0, "lambda_min_lower"),
                              upper = record.tables().column(0, "lambda_min_upper");
    const std::vector<std::string> places = record.tables().places();
    std::vector<theory::Measured> measured;
    for (size_t i = 0; i < lower.size(); ++i)
      measured.push_back(theory::Measured::within({lower[i], upper[i]}, places[i]));
    return measured;
  }

  Du2019Options options_;
};

std::unique_ptr<Theorem> make_du_2019(const Du2019Options& options) {
  return std::make_unique<Du2019>(options);
}

}  // namespace

PLUMB_REGISTER(
    Theorems, du_2019, Du2019Options, make_du_2019,
    "gradient descent on wide two-layer ReLU networks: linear rate, definite kernel, short paths (Du, "
    "Zhai, Poczos and Singh 2019)")

}  // namespace plumb
