#include "plumb/lecture/adversarial_start.hpp"

#include <algorithm>
#include <cmath>

#include "plumb/core/error.hpp"
#include "plumb/theory/scaling_fit.hpp"

namespace plumb {
namespace {

constexpr const char* liu = "Liu, Papailiopoulos, Achlioptas 2020";

using theory::Assumption;
using theory::Relation;

/// The loss of regularized training against half that of plain training. Its uncertainty is that of their
/// difference, seed by seed: both are measured.
Claim at_most_half_lost(const FromTwoStarts& plain, const FromTwoStarts& regularized,
                        const std::vector<Assumption>& assumptions, std::string statement) {
  FromTwoStarts difference = regularized;
  for (size_t i = 0; i < std::min(plain.random.size(), difference.random.size()); ++i)
    difference.random[i] -= (plain.random[i] - plain.adversarial[i]) / 2;
  return judged(std::move(statement),
                {"loss of test accuracy, regularized", Relation::at_most, start_gap(plain).value / 2, 0, 0,
                 assumptions, liu},
                {start_gap(regularized).value, start_gap(difference).uncertainty, ""});
}

double least_of(const FromTwoStarts& accuracies) {
  double least = 1;
  for (const auto* values : {&accuracies.random, &accuracies.adversarial})
    for (const double value : *values) least = theory::least(least, value);
  return least;
}

}  // namespace

theory::Measured start_gap(const FromTwoStarts& accuracies) {
  const size_t seeds = accuracies.random.size();
  expects(seeds >= 2 && accuracies.adversarial.size() == seeds,
          "a gap needs as many random as adversarial starts, two or more; got {} and {}", seeds,
          accuracies.adversarial.size());
  const auto n = static_cast<double>(seeds);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < seeds; ++i) {
    const double gap = accuracies.random[i] - accuracies.adversarial[i];
    sum += gap;
    squares += gap * gap;
  }
  const double variance = std::max(0.0, squares - sum * sum / n) / (n - 1);
  const double quantile = theory::student_quantile_95(static_cast<int64_t>(seeds) - 1);
  return {sum / n, quantile * std::sqrt(variance / n), ""};
}

std::vector<Claim> adversarial_claims(const AdversarialMeasured& measured) {
  const theory::Measured plain = start_gap(measured.plain);
  const std::vector<Assumption> adversarial{
      {"the adversarial weights fit random labels", measured.random_label_accuracy, Relation::at_least, 0.8}};
  return {
      judged("Gradient descent has every true label right at the end, from random and from adversarial "
             "weights, with and without regularization",
             {"training accuracy", Relation::equal, 1, 0, 0, {}, liu}, {measured.training_accuracy, 0, ""}),
      judged(
          "Without regularization, weights that fitted random labels before lead to a worse global minimum "
          "than random ones: test accuracy is lost",
          {"loss of test accuracy", Relation::at_least, 0, 0, 0, adversarial, liu}, plain),
      at_most_half_lost(measured.plain, measured.regularized, adversarial,
                        "With weight decay and augmented data at most half as much is lost")};
}

std::vector<Claim> adversarial_image_claims(const AdversarialImagesMeasured& measured,
                                            bool regularized_fits) {
  const std::vector<Assumption> adversarial{{"the adversarial weights fit the random labels",
                                             measured.random_label_accuracy, Relation::at_least, 0.99}};
  const double fitted = least_of(measured.plain_training);
  const auto with_fit = [&](const char* statement, double accuracy) {
    std::vector<Assumption> assumptions = adversarial;
    assumptions.push_back(theory::requires_at_least(statement, accuracy, 0.99));
    return assumptions;
  };
  Claim regularized = at_most_half_lost(
      measured.plain, measured.regularized,
      with_fit("regularized SGD fits the true labels", least_of(measured.regularized_training)),
      "With momentum, weight decay, random crops and flips at most half as much is lost");
  if (!regularized_fits) regularized.expected = theory::Ruling::hypotheses_not_met;
  return {judged("On images plain SGD fits the true labels from random weights and from weights that fitted "
                 "random labels before",
                 {"least training accuracy", Relation::at_least, 0.99, 0, 0, {}, liu}, {fitted, 0, ""}),
          judged("Of the two minima of plain SGD the one reached from adversarial weights is worse: test "
                 "accuracy is lost",
                 {"loss of test accuracy", Relation::at_least, 0, 0, 0,
                  with_fit("plain SGD fits the true labels", fitted), liu},
                 start_gap(measured.plain)),
          regularized};
}

}  // namespace plumb
