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

TEST_CASE("a measurement or a prediction that is NaN decides nothing, and the text says so",
          "[theory][prediction]") {
  for (const Relation relation : {Relation::at_most, Relation::at_least, Relation::equal}) {
    const Verdict nothing = judge(claim(relation, 1), {nan_value, 0, "step 3"});
    CHECK(nothing.ruling == Ruling::undecided);
    CHECK_FALSE(nothing.relation_true);
    CHECK_FALSE(nothing.relation_false);
    CHECK(nothing.text() == "undecided: the measurement is NaN at step 3");
    CHECK(judge(claim(relation, 1), {nan_value, 0.5, ""}).ruling == Ruling::undecided);
    CHECK(judge(claim(relation, nan_value), {1, 0, ""}).text() == "undecided: the prediction is NaN");
    CHECK(judge(claim(relation, 1), {1, nan_value, ""}).text() == "undecided: the interval is NaN");
    CHECK(judge(claim(relation, 1), Measured::within({nan_value, 1})).ruling == Ruling::undecided);
    CHECK(judge(claim(relation, 1), Measured::within({nan_value, nan_value})).text() ==
          "undecided: the measurement is NaN");
  }
}

TEST_CASE("every relation is decided by where all of the interval lies", "[theory][prediction]") {
  using enum Ruling;
  struct Line {
    Bounds found;
    Ruling at_most, at_least, equal;  // of 5, with a tolerance of 1: up to 6, from 4 on, 4 to 6
  };
  const double inf = infinity_value;
  const std::vector<Line> table{
      {5, holds, holds, holds},
      {{4.5, 5.5}, holds, holds, holds},            // inside
      {{4, 6}, holds, holds, holds},                // to its ends
      {{1, 3}, holds, fails, fails},                // below
      {{7, 9}, fails, holds, fails},                // above
      {{3, 5}, holds, undecided, undecided},        // over the lower end
      {{5, 7}, undecided, holds, undecided},        // over the upper end
      {{-1, 11}, undecided, undecided, undecided},  // over both
      {{3, 4}, holds, undecided, undecided},        // touching
      {{6, 7}, undecided, holds, undecided},
      {{-inf, inf}, undecided, undecided, undecided},  // anything
      {{-inf, 5}, holds, undecided, undecided},        // one-sided
      {{-inf, 3}, holds, fails, fails},
      {{5, inf}, undecided, holds, undecided},
      {{7, inf}, fails, holds, fails},
      {inf, fails, holds, fails},
      {-inf, holds, fails, fails},
      {nan_value, undecided, undecided, undecided},
      {{nan_value, 5}, undecided, undecided, undecided},
      {{5, nan_value}, undecided, undecided, undecided},
  };
  for (const Line& line : table) {
    INFO(line.found.lower << " .. " << line.found.upper);
    const auto ruling = [&](Relation relation, const Measured& measured) {
      Prediction prediction = claim(relation, 5);
      prediction.relative_tolerance = 0.2;
      return judge(prediction, measured).ruling;
    };
    const auto check = [&](const Measured& measured) {
      CHECK(ruling(Relation::at_most, measured) == line.at_most);
      CHECK(ruling(Relation::at_least, measured) == line.at_least);
      CHECK(ruling(Relation::equal, measured) == line.equal);
    };
    check(Measured::within(line.found));
    const double middle = (line.found.lower + line.found.upper) / 2;
    const double half = (line.found.upper - line.found.lower) / 2;
    if (std::isfinite(middle)) check({middle, half, ""});
    if (line.found.lower == line.found.upper) check({line.found.lower, 0, ""});
  }
  CHECK(judge(claim(Relation::equal, 0), {5, 6, ""}).ruling == undecided);
  CHECK(judge(claim(Relation::equal, 0), {0, 6, ""}).ruling == undecided);
  CHECK(judge(claim(Relation::at_most, 5), {5, inf, ""}).ruling == undecided);
  CHECK_THROWS_AS(judge(claim(Relation::at_most, 5), Measured::within({2, 1})), ContractError);
}

TEST_CASE("a rank that is not resolved is judged by its bounds", "[theory][prediction]") {
  const auto text = [](Bounds rank) {
    return judge(claim(Relation::equal, 5), Measured::within(rank, "draw 2")).text();
  };
  CHECK(text({3, 5}) == "undecided: 3 .. 5 at draw 2");
  CHECK(text({3, 4}) == "fails: 3 .. 4 at draw 2");
  CHECK(text({6, 8}) == "fails: 6 .. 8 at draw 2");
  CHECK(text(5) == "holds exactly at draw 2");
  CHECK(judge(claim(Relation::at_least, 3), Measured::within({3, 5})).text() == "holds: 3 .. 5");
  Prediction theorem = claim(Relation::at_most, 2);
  theorem.assumptions = {requires_at_least("rank X = 5", Bounds{3, 5}, 5)};
  const Verdict open = judge(theorem, {1, 0, ""});
  CHECK(open.ruling == Ruling::undecided);
  CHECK(open.text() == "undecided: hypothesis not resolved: rank X = 5, 3 .. 5");
  CHECK(open.unresolved.size() == 1);
  theorem.assumptions[0].range = Bounds{3, 4};
  CHECK(judge(theorem, {1, 0, ""}).text() ==
        "hypothesis not met: rank X = 5, 3 .. 4; the relation is true all the same");
  theorem.assumptions.push_back(requires_positive("slope > 0", nan_value));
  CHECK(judge(theorem, {1, 1.5, ""}).text() ==
        "hypothesis not met: rank X = 5, 3 .. 4; whether the relation is true is not resolved");
  theorem.assumptions[0].range = Bounds{5, 5};
  CHECK(judge(theorem, {1, 0, ""}).text() ==
        "undecided: hypothesis not resolved: slope > 0, a number of it is NaN");
  theorem.assumptions.pop_back();
  CHECK(judge(theorem, {1, 0, ""}).ruling == Ruling::holds);
}

TEST_CASE("the least and the greatest of numbers keep a NaN wherever it stands", "[theory][prediction]") {
  for (const std::vector<double>& numbers :
       {std::vector<double>{nan_value, 1, 2}, {1, nan_value, 2}, {1, 2, nan_value}}) {
    CHECK(std::isnan(least(numbers)));
    CHECK(std::isnan(greatest(numbers)));
  }
  CHECK(least({3.0, -1.0, 2.0}) == -1);
  CHECK(greatest({3.0, -1.0, infinity_value}) == infinity_value);
  CHECK_THROWS_AS(least(std::vector<double>{}), ContractError);
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

TEST_CASE("an assumption about a number that is NaN is not known to be met", "[theory][prediction]") {
  const Assumption assumption{"", nan_value, Relation::at_least, 0};
  CHECK_FALSE(assumption.holds());
  CHECK(assumption.ruling() == Ruling::undecided);
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

TEST_CASE("an equality is settled by an interval within its tolerance or outside of it",
          "[theory][prediction]") {
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0.2, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0.05, ""}).ruling == Ruling::fails);
  CHECK(judge(claim(Relation::equal, 2), {2.1, 2.0, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::equal, 2), {2.1, infinity_value, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim(Relation::equal, 2), {2, 0, ""}).text() == "holds exactly");
  CHECK(judge(claim(Relation::equal, 2), {2.1, 0, ""}).ruling == Ruling::fails);
  Prediction loose = claim(Relation::equal, 2);
  loose.relative_tolerance = 0.1;
  CHECK(judge(loose, {2.1, 0, ""}).text() == "holds to 5.0e-02");
  CHECK(judge(loose, {2.1, 0.05, ""}).ruling == Ruling::holds);
  CHECK(judge(loose, {2.1, 0.15, ""}).ruling == Ruling::undecided);
  CHECK(judge(loose, {2.5, 0.15, ""}).ruling == Ruling::fails);
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
  CHECK(judge(prediction, {1e-3, 2e-3, ""}).ruling == Ruling::undecided);
  CHECK(judge(prediction, {0, 1e-13, ""}).ruling == Ruling::holds);
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
  SECTION("a NaN leaves the series undecided, however small the others, and hides no failure") {
    const Verdict verdict = judge(bound({1, 0.5, 0.25}), {0.1, nan_value, 0.1}, places);
    CHECK(verdict.text() == "undecided: the measurement is NaN at step 1");
    CHECK(judge(bound({1, 0.5, 0.25}), {1, nan_value, 0.25}, places, {0.1, 0, 0.1}).place == "step 1");
    CHECK(judge(bound({1, nan_value, 0.25}), {1, 1, 0.1}, places).place == "step 1");
    const Verdict failure = judge(bound({1, 0.5, 0.25}), {1, nan_value, 100}, places);
    CHECK(failure.ruling == Ruling::fails);
    CHECK(failure.place == "step 2");
  }
  SECTION("bounds are as bad as their worse end") {
    const std::vector<Measured> ranks{Measured::within({4, 5}, "draw 0"), Measured::within({2, 5}, "draw 1"),
                                      Measured::within(5, "draw 2")};
    PredictedSeries series = bound({5, 5, 5});
    series.relation = Relation::equal;
    CHECK(judge(series, ranks).text() == "undecided: 2 .. 5 at draw 1");
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
