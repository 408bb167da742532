#include "plumb/lecture/rethinking.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using theory::Relation;

constexpr const char* zhang = "Zhang, Bengio, Hardt, Recht, Vinyals 2017";

/// Half the 95 % interval of a fraction counted on `examples`.
double binomial_half_width(double fraction, int64_t examples) {
  return 1.96 * std::sqrt(fraction * (1 - fraction) / static_cast<double>(examples));
}

std::vector<Claim> construction_claims(const RethinkingMeasured& measured) {
  const auto expected = static_cast<double>(2 * measured.examples + measured.dimension);
  const std::string source = std::string(zhang) + ", Theorem 1";
  return {judged(fmt::format(
                     "A network with one hidden layer and 2n + d weights is built for random labels of {} "
                     "inputs",
                     measured.examples),
                 {"number of weights", Relation::equal, expected, 0, 0, {}, source},
                 {static_cast<double>(measured.weights), 0, ""}),
          judged("It gives every one of these labels, up to rounding in float64",
                 {"max |c(x_i) - y_i|", Relation::at_most, 1e-3, 0, 0, {}, source},
                 {measured.largest_error, 0, ""})};
}

std::vector<Claim> model_claims(const RethinkingMeasured& measured, const std::string& model) {
  const RandomizedFit& with_true = fit_of(measured, model, "true labels");
  const RandomizedFit& with_random = fit_of(measured, model, "random labels");
  const double guessing = 1 / static_cast<double>(measured.classes);
  return {judged(fmt::format("{} trained on random labels guesses on test examples, to within half of what "
                             "guessing gets right",
                             model),
                 {"test accuracy, random labels", Relation::equal, guessing, 0.5, 0, {}, zhang},
                 {with_random.test_accuracy, binomial_half_width(guessing, measured.test_examples), ""}),
          judged(fmt::format("{} trained on true labels does at least twice as well as guessing", model),
                 {"test accuracy, true labels", Relation::at_least, 2 * guessing, 0, 0, {}, zhang},
                 {with_true.test_accuracy,
                  binomial_half_width(with_true.test_accuracy, measured.test_examples), ""}),
          judged(fmt::format("Random labels take {} no fewer steps than true ones", model),
                 {"T(random labels) / T(true labels)", Relation::at_least, 1, 0, 0, {}, zhang},
                 {static_cast<double>(with_random.steps) / static_cast<double>(with_true.steps), 0, ""})};
}

}  // namespace

const RandomizedFit& fit_of(const RethinkingMeasured& measured, std::string_view model,
                            std::string_view setting) {
  const auto found = std::find_if(measured.fits.begin(), measured.fits.end(), [&](const RandomizedFit& fit) {
    return fit.model == model && fit.setting == setting;
  });
  expects(found != measured.fits.end(), "there is no fit of {} in the setting '{}'", model, setting);
  return *found;
}

std::vector<Claim> rethinking_claims(const RethinkingMeasured& measured) {
  std::vector<Claim> claims = construction_claims(measured);
  std::vector<double> accuracies;
  std::vector<std::string> places;
  std::set<std::string> models;
  for (const RandomizedFit& fit : measured.fits) {
    accuracies.push_back(fit.train_accuracy);
    places.push_back(fmt::format("{}, {}", fit.model, fit.setting));
    models.insert(fit.model);
  }
  claims.push_back(judged(
      "Every network fits every version of the data: true labels, random labels, pixels moved "
      "or replaced by noise",
      {"training accuracy", Relation::at_least, std::vector<double>(accuracies.size(), 1), 0, 0, {}, zhang},
      accuracies, places));
  for (const std::string& model : models)
    for (Claim& claim : model_claims(measured, model)) claims.push_back(std::move(claim));
  return claims;
}

}  // namespace plumb
