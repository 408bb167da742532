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

TEST_CASE("step and exponential schedules change at whole multiples of their epochs only",
          "[training][schedule]") {
  const Schedule schedule = make_schedule("{type: exponential, gamma: 0.95}", 0);
  CHECK(schedule(0.99) == 1);
  CHECK(schedule(1) == Approx(0.95));
  CHECK(schedule(10.5) == Approx(std::pow(0.95, 10)));
  CHECK(make_schedule("{type: step, gamma: 0.5, step_size: 10}", 0)(29.9) == Approx(0.25));
  // In floating point 0.3 / 0.1 is below 3.
  CHECK(make_schedule("{type: step, gamma: 0.5, step_size: 0.1}", 0)(0.3) == Approx(0.125));
}

TEST_CASE("the multi_step schedule multiplies at its milestones", "[training][schedule]") {
  const Schedule schedule = make_schedule("{type: multi_step, milestones: [2, 4], gamma: 0.1}", 0);
  CHECK(schedule(1.99) == 1);
  CHECK(schedule(2) == Approx(0.1));
  CHECK(schedule(4) == Approx(0.01));
}

TEST_CASE("what torch has no default for must be given", "[training][schedule]") {
  CHECK_THROWS_WITH(make_schedule("step", 0), ContainsSubstring("step needs step_size"));
  CHECK_THROWS_WITH(make_schedule("multi_step", 0), ContainsSubstring("multi_step needs milestones"));
  CHECK_THROWS_WITH(make_schedule("exponential", 0), ContainsSubstring("exponential needs gamma"));
}

TEST_CASE("only a schedule that runs over the limit needs an end", "[training][schedule]") {
  CHECK(make_schedule("cosine", 10).needs_end);
  for (const char* yaml : {"constant", "{type: step, step_size: 3}", "{type: exponential, gamma: 0.9}",
                           "{type: multi_step, milestones: [3]}"})
    CHECK_FALSE(make_schedule(yaml, 10).needs_end);
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
