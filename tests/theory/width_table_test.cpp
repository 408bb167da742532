// Oracle: the table as printed.
#include "plumb/theory/width_table.hpp"

#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;
using namespace plumb::theory;

TEST_CASE("the table of width requirements has the printed rows in the printed order", "[theory][width]") {
  const auto& rows = width_table();
  REQUIRE(rows.size() == 6);
  const std::vector<double> exponents{2, 1, 2, 6, 8, 1.5};
  const std::vector<int64_t> layers{2, 0, 2, 2, 0, 2};
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].exponent == exponents[i]);
    CHECK(rows[i].layers == layers[i]);
  }
  CHECK(width_requirement("zou_gu").depth_exponent == 12);
  CHECK(width_requirement("kawaguchi_huang").trained == TrainedLayers::last);
  CHECK(width_requirement("song").logarithms);
  CHECK_THROWS_WITH(width_requirement("dw"), ContainsSubstring("width requirement 'dw'; did you mean 'du'?"));
}

TEST_CASE("width and parameters differ by the size of the inputs", "[theory][width]") {
  CHECK(exponent_as(width_requirement("du"), Scaled::width, 1) == 6);
  CHECK(exponent_as(width_requirement("du"), Scaled::parameters, 0) == 6);
  CHECK(exponent_as(width_requirement("du"), Scaled::parameters, 1) == 7);
  CHECK(exponent_as(width_requirement("oymak_soltanolkotabi"), Scaled::width, 1) == 1);
  CHECK(exponent_as(width_requirement("song"), Scaled::width, 0.5) == 1);
  CHECK_THROWS_AS(exponent_as(width_requirement("zou_gu"), Scaled::parameters, 0), ContractError);
}

TEST_CASE("a fitted exponent is held against the theorem's with its interval", "[theory][width]") {
  const Prediction claim = exponent_at_most(width_requirement("oymak_soltanolkotabi"), 5, 8);
  CHECK(judge(claim, {1.1, 0.2, ""}).ruling == Ruling::holds);
  CHECK(judge(claim, {2, 0, ""}).margin == 1);
  CHECK(judge(claim, {1.9, 0.3, ""}).ruling == Ruling::undecided);
  CHECK(judge(claim, {2.5, 0.3, ""}).ruling == Ruling::fails);
  CHECK(judge(exponent_at_most(width_requirement("du"), 2, 8), {1, 0.1, ""}).ruling ==
        Ruling::hypotheses_not_met);
  CHECK(judge(exponent_at_most(width_requirement("du"), 5, 1.5), {1, 0.1, ""}).ruling ==
        Ruling::hypotheses_not_met);
}
