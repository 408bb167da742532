// Oracle: rulings decided by hand.
#include "plumb/theory/prediction.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity_value = std::numeric_limits<double>::infinity();

Prediction claim(Relation relation, double value) {
  Prediction prediction;
  prediction.relation = relation;
  prediction.value = value;
  return prediction;
}

PredictedSeries bound(std::vector<double> values) {
  PredictedSeries series;
  series.relation = Relation::at_most;
  series.values = std::move(values);
  return series;
}

}  // namespace

TEST_CASE("a bound that is reached exactly holds with margin 1", "[theory][prediction]") {
  for (const Relation relation : {Relation::at_most, Relation::at_least}) {
    const Verdict verdict = judge(claim(relation, 0.25), {0.25, 0, "step 3"});
    CHECK(verdict.ruling == Ruling::holds);
    CHECK(verdict.margin == 1);
    CHECK(verdict.text() == "holds with equality at step 3");
  }
  CHECK(judge(claim(Relation::at_most, 0), {0, 0, ""}).margin == 1);
}

TEST_CASE("a bound that is violated fails, by the factor it is missed", "[theory][prediction]") {
  const Verdict above = judge(claim(Relation::at_most, 2), {3, 0, "step 12"});
  CHECK(above.ruling == Ruling::fails);
  CHECK(above.margin == Approx(2.0 / 3));
  CHECK(above.text() == "fails at step 12: 1.5 times over");
  const Verdict below = judge(claim(Relation::at_least, 3), {2, 0, ""});
  CHECK(below.ruling == Ruling::fails);
  CHECK(below.text() == "fails: 1.5 times over");
}

TEST_CASE("a violation by more than rounding is one however small, and the text shows it",
          "[theory][prediction]") {
  const Verdict verdict = judge(claim(Relation::at_most, 1), {1 + 1e-6, 0, ""});
  CHECK(verdict.ruling == Ruling::fails);
  CHECK(verdict.text() == "fails: 1 + 1.0e-06 times over");
  CHECK(judge(claim(Relation::at_most, 1), {1 + 1e-10, 0, ""}).ruling == Ruling::holds);
}

TEST_CASE("a margin is below 1 exactly where a bound of positive numbers is not true",
          "[theory][prediction]") {
  Prediction prediction = claim(Relation::at_most, 1e-30);
  prediction.absolute_tolerance = 1e-12;
  CHECK(judge(prediction, {1e-20, 0, ""}).margin > 1);
  CHECK(judge(prediction, {1e-11, 0, ""}).margin < 1);
  CHECK(judge(prediction, {1e-11, 0, ""}).ruling == Ruling::fails);
  CHECK(std::isnan(judge(claim(Relation::at_most, -0.4), {-0.5, 0, ""}).margin));
  CHECK(judge(claim(Relation::at_most, -0.4), {-0.5, 0, ""}).text() == "holds");
}

TEST_CASE("a measurement or a prediction that is NaN satisfies no relation", "[theory][prediction]") {
  for (const Relation relation : {Relation::at_most, Relation::at_least, Relation::equal}) {
    CHECK(judge(claim(relation, 1), {nan_value, 0, ""}).ruling == Ruling::fails);
    CHECK(judge(claim(relation, 1), {nan_value, 0.5, ""}).ruling == Ruling::fails);
    CHECK(judge(claim(relation, nan_value), {1, 0, ""}).ruling == Ruling::fails);
    CHECK(judge(claim(relation, 1), {1, nan_value, ""}).ruling == Ruling::undecided);
  }
}

TEST_CASE("an infinite prediction is satisfied by what infinity satisfies", "[theory][prediction]") {
  CHECK(judge(claim(Relation::at_most, infinity_value), {1e300, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(claim(Relation::at_least, infinity_value), {1e300, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(claim(Relation::at_least, infinity_value), {infinity_value, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(claim(Relation::equal, infinity_value), {3, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(claim(Relation::at_most, 3), {infinity_value, 0, ""}).ruling == Ruling::fails);
}

TEST_CASE("a theorem whose hypotheses are not met says nothing, whatever was measured",
          "[theory][prediction]") {
  Prediction prediction = claim(Relation::at_most, 2);
  prediction.assumptions = {{"steps are short: eta <= 1/beta", 0.5, Relation::at_most, 1},
                            {"the width suffices", 4096, Relation::at_least, 4096e6},
                            {"labels are bounded", 3, Relation::at_most, 1}};
  const Verdict verdict = judge(prediction, {1, 0, ""});
  CHECK(verdict.ruling == Ruling::hypotheses_not_met);
  CHECK(verdict.relation_true);
  REQUIRE(verdict.unmet.size() == 2);
  CHECK(verdict.unmet.front().shortfall() == Approx(1e6));
  CHECK(verdict.text() ==
        "hypothesis not met: the width suffices, missed 1.0e+06 times; and 1 more; the relation is true all "
        "the same");
  const Verdict wrong = judge(prediction, {3, 0, ""});
  CHECK(wrong.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(wrong.relation_true);
  CHECK_THAT(wrong.text(), ContainsSubstring("the relation is not true"));
}

TEST_CASE("an assumption about a number that is NaN is not met", "[theory][prediction]") {
  const Assumption assumption{"", nan_value, Relation::at_least, 0};
  CHECK_FALSE(assumption.holds());
  CHECK(std::isnan(assumption.shortfall()));
  CHECK(Assumption{"", 2, Relation::equal, 3}.shortfall() == Approx(1.5));
  CHECK(Assumption{"", 0, Relation::at_least, 3}.shortfall() == infinity_value);
  CHECK(Assumption{"", 4, Relation::at_least, 3}.shortfall() == 1);
}

TEST_CASE("an interval that reaches over a bound leaves it undecided", "[theory][prediction]") {
  CHECK(judge(claim(Relation::at_most, 1), {0.9, 0.2, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::at_most, 1), {1.1, 0.2, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::at_most, 1), {0.7, 0.2, ""}).ruling == Ruling::holds);
  CHECK(judge(claim(Relation::at_most, 1), {1.3, 0.2, ""}).ruling == Ruling::fails);
  CHECK(judge(claim(Relation::at_least, 1), {0.9, 0.2, "width 8"}).text() ==
        "undecided: the interval is too wide at width 8");
  CHECK_THROWS_AS(judge(claim(Relation::at_most, 1), {1, -0.1, ""}), ContractError);
}

TEST_CASE("an equality is settled by an interval that covers or misses the value, unless it covers anything",
          "[theory][prediction]") {
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0.2, ""}).ruling == Ruling::holds);
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0.05, ""}).ruling == Ruling::fails);
  CHECK(judge(claim(Relation::equal, 2), {2.1, 2.0, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::equal, 2), {2.1, infinity_value, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::equal, 2), {2, 0, ""}).text() == "holds exactly");
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0, ""}).ruling == Ruling::fails);
  Prediction loose = claim(Relation::equal, 2);
  loose.relative_tolerance = 0.1;
  CHECK(judge(loose, {2.1, 0, ""}).text() == "holds to 5.0e-02");
}

TEST_CASE("an equality with 0 is judged by the absolute tolerance", "[theory][prediction]") {
  Prediction prediction = claim(Relation::equal, 0);
  CHECK(judge(prediction, {0, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(prediction, {1e-14, 0, ""}).ruling == Ruling::fails);
  prediction.absolute_tolerance = 1e-12;
  const Verdict verdict = judge(prediction, {1e-14, 0, ""});
  CHECK(verdict.ruling == Ruling::holds);
  CHECK(verdict.margin == 1e-14);
  CHECK(verdict.text() == "holds to 1.0e-14 absolutely");
  CHECK(judge(prediction, {1e-3, 0, ""}).ruling == Ruling::fails);
  CHECK(judge(prediction, {1e-3, 2e-3, ""}).ruling == Ruling::holds);
}

TEST_CASE("a series is judged where it is worst", "[theory][prediction]") {
  const std::vector<std::string> places{"step 0", "step 1", "step 2"};
  SECTION("the least margin where all places hold") {
    const Verdict verdict = judge(bound({1, 0.5, 0.25}), {0.5, 0.4, 0.01}, places);
    CHECK(verdict.ruling == Ruling::holds);
    CHECK(verdict.text() == "holds, 1.25 times over at step 1");
  }
  SECTION("a failure is worse than any place that holds, and the largest is named") {
    const Verdict verdict = judge(bound({1, 0.5, 0.25}), {1, 0.6, 0.5}, places);
    CHECK(verdict.ruling == Ruling::fails);
    CHECK(verdict.text() == "fails at step 2: 2 times over");
  }
  SECTION("a NaN is the worst there is") {
    const Verdict verdict = judge(bound({1, 0.5, 0.25}), {1, nan_value, 100}, places);
    CHECK(verdict.ruling == Ruling::fails);
    CHECK(verdict.place == "step 1");
  }
  SECTION("a place beneath the floor of rounding does not hide the others") {
    PredictedSeries series = bound({1, 1e-6, 1e-30});
    series.absolute_tolerance = 1e-12;
    const Verdict verdict = judge(series, {0.1, 5e-7, 1e-20}, places);
    CHECK(verdict.ruling == Ruling::holds);
    CHECK(verdict.place == "step 1");
  }
  SECTION("an undecided place lies between") {
    CHECK(judge(bound({1, 1, 1}), {0.5, 0.9, 0.95}, places, {0, 0.2, 0}).place == "step 1");
    CHECK(judge(bound({1, 1, 1}), {0.5, 0.9, 0.95}, places, {0, 0.2, 0}).ruling == Ruling::undecided);
    CHECK(judge(bound({1, 1, 1}), {1.5, 0.9, 0.95}, places, {0.1, 0.2, 0}).place == "step 0");
  }
  SECTION("unmet hypotheses overrule the numbers") {
    PredictedSeries series = bound({1, 1, 1});
    series.assumptions = {{"lambda_0 > 0", 0, Relation::at_least, 1e-12}};
    CHECK(judge(series, {2, 2, 2}, places).ruling == Ruling::hypotheses_not_met);
  }
  SECTION("lengths must agree") {
    CHECK_THROWS_AS(judge(bound({1}), {1, 2}, {"a", "b"}), ContractError);
    CHECK_THROWS_AS(judge(bound({}), {}, {}), ContractError);
    CHECK_THROWS_AS(judge(bound({1}), {1}, {"a"}, {0.1, 0.1}), ContractError);
  }
}
