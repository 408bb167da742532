// Oracle: the closed form of each schedule at chosen epochs.
#include "plumb/training/schedule.hpp"

#include "support/catch.hpp"

using namespace plumb;

namespace {
Schedule make_schedule(const std::string& yaml, double max_epochs) {
  struct Options {
    Choice<Schedule(double)> schedule{schedules()};
    void fields(Fields& f) { f.component("schedule", schedule, ""); }
  };
  return read_options<Options>(Config::parse("schedule: " + yaml)).schedule.make(std::move(max_epochs));
}
}  // namespace

TEST_CASE("the exponential schedule changes at whole epochs only", "[training][schedule]") {
  const Schedule schedule = make_schedule("{type: exponential, factor: 0.95}", 0);
  CHECK(schedule(0.99) == 1);
  CHECK(schedule(1) == Approx(0.95));
  CHECK(schedule(10.5) == Approx(std::pow(0.95, 10)));
  CHECK(make_schedule("{type: exponential, factor: 0.5, every: 10}", 0)(29.9) == Approx(0.25));
}

TEST_CASE("the step schedule multiplies at its milestones", "[training][schedule]") {
  const Schedule schedule = make_schedule("{type: step, epochs: [2, 4], factor: 0.1}", 0);
  CHECK(schedule(1.99) == 1);
  CHECK(schedule(2) == Approx(0.1));
  CHECK(schedule(4) == Approx(0.01));
}

TEST_CASE("the cosine schedule goes from one to its final fraction and stays there", "[training][schedule]") {
  const Schedule schedule = make_schedule("{type: cosine, final: 0.2}", 10);
  CHECK(schedule(0) == Approx(1));
  CHECK(schedule(5) == Approx(0.6));
  CHECK(schedule(10) == Approx(0.2));
  CHECK(schedule(12) == Approx(0.2));
  CHECK_THROWS_WITH(make_schedule("cosine", 0), ContainsSubstring("needs an end"));
}

TEST_CASE("the constant schedule is constant", "[training][schedule]") {
  CHECK(make_schedule("constant", 0)(123.4) == 1);
}
