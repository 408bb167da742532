#include "plumb/lecture/adversarial_start.hpp"

#include <cmath>

#include "plumb/core/error.hpp"
#include "plumb/theory/scaling_fit.hpp"

namespace plumb {

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
  using theory::Relation;
  const char* source = "Liu, Papailiopoulos, Achlioptas 2020";
  const theory::Measured plain = start_gap(measured.plain);
  const theory::Measured regularized = start_gap(measured.regularized);
  const std::vector<theory::Assumption> adversarial{
      {"the adversarial weights fit random labels", measured.random_label_accuracy, Relation::at_least, 0.8}};
  return {
      judged("Gradient descent has every true label right at the end, from random and from adversarial "
             "weights, with and without regularization",
             {"training accuracy", Relation::equal, 1, 0, 0, {}, source},
             {measured.training_accuracy, 0, ""}),
      judged(
          "Without regularization, weights that fitted random labels before lead to a worse global minimum "
          "than random ones: test accuracy is lost",
          {"loss of test accuracy", Relation::at_least, 0, 0, 0, adversarial, source}, plain),
      judged("With weight decay and augmented data at most half as much is lost",
             {"loss of test accuracy, regularized", Relation::at_most, plain.value / 2, 0, 0, adversarial,
              source},
             regularized)};
}

}  // namespace plumb
