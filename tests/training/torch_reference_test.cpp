// Oracle: Python's torch.optim, whose trajectories, factors and defaults were written to
// tests/fixtures/training.pt by tests/training/reference/training.py, which has the same losses.
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/archive.hpp"
#include "plumb/training/optimizer.hpp"
#include "plumb/training/schedule.hpp"

using namespace plumb;

namespace {

Archive torch_reference(const std::string& part) {
  return Archive::load(std::string(PLUMB_FIXTURES) + "/training.pt").archive(part);
}

struct ReferenceComponents {
  Choice<std::unique_ptr<Optimizer>(std::vector<Tensor>)> optimizer{optimizers(), "sgd"};
  Choice<Schedule(double)> schedule{schedules(), "constant"};
  void fields(Fields& f) {
    f.component("optimizer", optimizer, "");
    f.component("schedule", schedule, "");
  }
};

ReferenceComponents component_of(const std::string& key, const std::string& yaml) {
  return read_options<ReferenceComponents>(Config::parse(key + ": " + yaml));
}

Tensor reference_loss(const Tensor& first, const Tensor& second, int64_t step) {
  const Tensor value = (first.pow(4) / 4 - first).sum();
  if (step % 2 == 0) return value;
  return value + (torch::tensor({{3.0, 1.0}, {0.5, 2.0}}, torch::kDouble) * second.square()).sum();
}

/// A row for each step, as long as the reference has them.
Tensor reference_trajectory(const std::string& yaml, int64_t steps) {
  std::vector<Tensor> parameters{torch::tensor({2.0, -1.0, 0.5}, torch::kDouble).requires_grad_(),
                                 torch::tensor({{1.0, -2.0}, {0.3, 0.7}}, torch::kDouble).requires_grad_()};
  auto optimizer = component_of("optimizer", yaml).optimizer.make(parameters);
  std::vector<Tensor> rows;
  for (int64_t step = 0; step < steps; ++step) {
    for (Tensor& parameter : parameters) parameter.mutable_grad() = Tensor();
    reference_loss(parameters[0], parameters[1], step).backward();
    if (step == steps / 2) {  // what is saved is all that the rest depends on
      const Archive state = optimizer->state();
      optimizer = component_of("optimizer", yaml).optimizer.make(parameters);
      optimizer->load(state);
    }
    optimizer->step(optimizer->base_learning_rate());
    rows.push_back(torch::cat({parameters[0].detach().flatten(), parameters[1].detach().flatten()}));
  }
  return torch::stack(rows);
}

/// The value of an option of an optimizer that is described by its name alone.
double default_of(const std::string& optimizer, const std::string& option) {
  ReferenceComponents options = component_of("optimizer", optimizer);
  FieldWriter writer;
  options.optimizer.fields(writer);
  const Config written = writer.take();
  const Config* value = written.find(option);
  REQUIRE(value != nullptr);
  return value->text == "false" ? 0 : value->text == "true" ? 1 : std::stod(value->text);
}

}  // namespace

TEST_CASE("optimizers move parameters as torch.optim does, also those without a gradient now and then",
          "[training][optimizer][reference]") {
  const Archive trajectories = torch_reference("optimizers");
  REQUIRE(trajectories.values().size() == 7);
  for (const auto& [yaml, value] : trajectories.values()) {
    INFO(yaml);
    const Tensor expected = std::get<Tensor>(value);
    CHECK(torch::allclose(reference_trajectory(yaml, expected.size(0)), expected, 1e-12, 1e-14));
  }
}

TEST_CASE("the defaults of optimizers are those of torch.optim", "[training][optimizer][reference]") {
  const Archive defaults = torch_reference("defaults");
  for (const auto& [optimizer, options] : defaults.values())
    for (const auto& [option, value] : std::get<Archive>(options).values()) {
      INFO(optimizer + "." + option);
      CHECK(default_of(optimizer, option) == std::get<Tensor>(value).item<double>());
    }
  CHECK(default_of("sgd", "learning_rate") == 0.001);  // in torch 2; version 1 had no default
}

TEST_CASE("schedules give the learning rates of torch.optim.lr_scheduler",
          "[training][schedule][reference]") {
  const Archive factors = torch_reference("schedules");
  REQUIRE(factors.values().size() == 7);
  for (const auto& [yaml, value] : factors.values()) {
    INFO(yaml);
    const Tensor expected = std::get<Tensor>(value);
    const int64_t epochs = 10;
    const auto per_epoch = static_cast<double>((expected.size(0) - 1) / epochs);
    const Schedule schedule = component_of("schedule", yaml).schedule.make(static_cast<double>(epochs));
    for (int64_t i = 0; i < expected.size(0); ++i)
      CHECK(schedule(static_cast<double>(i) / per_epoch) ==
            Approx(expected[i].item<double>()).epsilon(1e-11).margin(1e-13));
  }
}
