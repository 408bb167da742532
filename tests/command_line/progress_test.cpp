// Oracle: the line a person should read, written out by hand.
#include "plumb/command_line/progress.hpp"

#include "support/catch.hpp"

using namespace plumb;

TEST_CASE("progress crosses a pipe unchanged, undefined numbers included", "[command_line][progress]") {
  Progress progress;
  progress.step = 123;
  progress.epoch = 2.5;
  progress.loss = 0.1;
  progress.fit.test_accuracy = 0.25;
  progress.resumed = true;
  const auto again = decode_progress(encode_progress(progress));
  REQUIRE(again.has_value());
  CHECK(again->step == 123);
  CHECK(again->loss == 0.1);
  CHECK(again->fit.test_accuracy == 0.25);
  CHECK(std::isnan(again->accuracy));
  CHECK(again->resumed);
  CHECK_FALSE(decode_progress("{\"error\": \"x\"}").has_value());
  CHECK_FALSE(decode_progress("not JSON").has_value());
}

TEST_CASE("a progress line says rate and remaining time", "[command_line][progress]") {
  Progress progress;
  progress.epoch = 3;
  progress.max_epochs = 30;
  progress.fraction_done = 0.1;
  progress.loss = 1.5;
  progress.accuracy = 0.5;
  progress.fit.test_accuracy = 0.1;
  progress.examples_per_second = 1234;
  progress.seconds = 20;
  CHECK(progress_line(progress) ==
        "epoch 3.0/30  loss 1.5000  train  50.0 %  test  10.0 %  at most 3:00 left  1234 examples/s");
  CHECK(duration_text(3725) == "1:02:05");
  CHECK(duration_text(59.6) == "1:00");
}

TEST_CASE("time left is a limit where a target may end the run, and what is not known is left out",
          "[command_line][progress]") {
  Progress progress;
  progress.epoch = 3;
  progress.fraction_done = 0.1;
  progress.seconds = 20;
  CHECK(progress_line(progress) == "epoch 3.0  at most 3:00 left");
  progress.has_target = false;
  CHECK(progress_line(progress) == "epoch 3.0  3:00 left");
  progress.fit.train_loss = 2.5;  // an evaluation, and no batch of this epoch yet
  progress.fit.train_accuracy = 0.25;
  CHECK(progress_line(progress) == "epoch 3.0  loss 2.5000  train  25.0 %  3:00 left");
  CHECK(progress_line(*decode_progress(encode_progress(progress))) == progress_line(progress));
}

TEST_CASE("the time left of a sweep is that of all its runs, with as many at a time as now",
          "[command_line][progress]") {
  using State = JobTime::State;
  CHECK_FALSE(sweep_time_left({}).has_value());
  CHECK_FALSE(sweep_time_left({{State::running, 3, {}}, {}}).has_value());
  CHECK_FALSE(sweep_time_left({{State::done, 3, {}}}).has_value());
  // One done in 10 s, one with 5 of 15 s to go, two to come at 12.5 s each, one at a time.
  CHECK(sweep_time_left({{State::done, 10, {}}, {State::running, 10, 5}, {}, {}}) == 30);
  // Two at a time: 5 and 25 s to go, nothing to come.
  CHECK(sweep_time_left({{State::running, 10, 5}, {State::running, 10, 25}}) == 25);
}
