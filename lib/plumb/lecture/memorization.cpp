#include "plumb/lecture/memorization.hpp"

#include <cmath>

namespace plumb {
namespace {

constexpr const char* yun = "Yun, Sra, Jadbabaie 2019, Proposition 3.2";

}  // namespace

std::vector<Claim> memorization_claims(const MemorizationMeasured& measured, int64_t classes) {
  using theory::Relation;
  const auto n = static_cast<double>(measured.examples);
  const auto capacity =
      static_cast<double>((measured.first_width + 1) / 2 * (2 * (measured.second_width / 4)));
  const std::vector<theory::Assumption> assumptions{
      {"the hidden layers are wide enough: p q >= n", capacity, Relation::at_least, n},
      {"the projections of the inputs differ: smallest gap >= 1e-300", measured.smallest_gap,
       Relation::at_least, 1e-300}};
  const std::string network = fmt::format(
      "The ReLU network with {}, {} and {} hidden units that was built for "
      "{} examples",
      measured.first_width, measured.second_width, 4 * classes, measured.examples);
  std::vector<Claim> claims;
  claims.push_back(judged(network + " has every label right",
                          {"accuracy", Relation::equal, 1, 0, 0, assumptions, yun},
                          {measured.accuracy, 0, ""}));
  claims.push_back(judged("Its outputs are the one-hot codes up to rounding in float64, within 1/2",
                          {"max |h - e_y|", Relation::at_most, 0.5, 0, 0, assumptions, yun},
                          {measured.largest_error, 0, ""}));
  // p = q is the smallest even number with p^2 >= n, therefore below sqrt(n) + 2.
  claims.push_back(judged("Its two wide layers multiply to about 4 n, no more than evenness asks for",
                          {"d1 d2", Relation::at_most, 4 * std::pow(std::sqrt(n) + 2, 2), 1e-9, 0, {}, yun},
                          {static_cast<double>(measured.first_width * measured.second_width), 0, ""}));
  claims.push_back(judged("Rounded to float32 the same weights do no better than twice guessing",
                          {"accuracy in float32",
                           Relation::at_most,
                           2 / static_cast<double>(classes),
                           0,
                           0,
                           {},
                           "differences of large numbers"},
                          {measured.float32_accuracy, 0, ""}));
  claims.push_back(
      judged(fmt::format("SGD from random weights has every label right on the same architecture "
                         "after {} epochs, as the construction has",
                         measured.sgd_epochs),
             {"accuracy of SGD", Relation::at_least, 1, 0, 0, {}, yun}, {measured.sgd_accuracy, 0, ""},
             theory::Ruling::fails));
  return claims;
}

}  // namespace plumb
