// Oracle: the same on the CPU, whose results the other rooms' tests hold against closed forms.
#include <cmath>

#include "probes/watch.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"

#include "plumb/training/ensemble.hpp"
#include "plumb/training/snapshot.hpp"

using namespace plumb;

namespace {

const std::string device_training =
    "{loss: square, optimizer: {type: sgd, learning_rate: 0.02, momentum: 0.9}, batch_size: 5, stop: {steps: "
    "9, "
    "epochs: none}}";

std::shared_ptr<test::ReluNetwork> relu_network(const at::Device& device) {
  auto network = std::make_shared<test::ReluNetwork>(6, 8, 3);
  network->to(device);
  return network;
}

double largest_difference_of(const std::vector<Tensor>& on_device, const std::vector<Tensor>& on_cpu) {
  double largest = 0;
  for (size_t i = 0; i < on_cpu.size(); ++i)
    largest = std::max(largest, (on_device[i].cpu() - on_cpu[i]).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST_CASE("a network goes the same way on every device, and probes see the same", "[device][training]") {
  const std::string probes =
      "[{type: gradient, every: 3}, {type: parameter_distance, every: 3}, {type: tangent_kernel, every: 3, "
      "examples: 6}, {type: jacobian_rank, every: 9, examples: 6}, {type: activation_flips, every: 3, "
      "examples: "
      "6}]";
  const test::TemporaryFolder here, there;
  const TrainingData data = test::random_data(20, 6, 3);
  const auto expected = test::watch(relu_network(torch::kCPU), data, device_training, probes, here.path());
  const auto found = test::watch(relu_network(test::test_device()), test::on_test_device(data),
                                 device_training, probes, there.path());
  REQUIRE(found->weights.size() == expected->weights.size());
  for (size_t step = 0; step < expected->weights.size(); ++step)
    CHECK(largest_difference_of(found->weights[step], expected->weights[step]) < 1e-10);
  for (const char* name :
       {"gradient", "parameter_distance", "tangent_kernel", "jacobian_rank", "activation_flips"}) {
    const Table table = test::probe_table(there.path(), name), wanted = test::probe_table(here.path(), name);
    REQUIRE(table.columns == wanted.columns);
    REQUIRE(table.rows.size() == wanted.rows.size());
    for (const std::string& column : wanted.columns) {
      INFO(name << ": " << column);
      const auto values = table.column(column), right = wanted.column(column);
      for (size_t row = 0; row < right.size(); ++row)
        CHECK((std::isnan(right[row]) ? std::isnan(values[row])
                                      : values[row] == Approx(right[row]).epsilon(1e-6).margin(1e-9)));
    }
  }
}

TEST_CASE("weights saved on one device are loaded on another", "[device][training]") {
  const auto here = relu_network(torch::kCPU), there = relu_network(test::test_device());
  {
    const torch::NoGradGuard no_gradient;
    for (Tensor& parameter : there->parameters()) parameter.mul_(2);
  }
  const test::TemporaryFolder folder;
  save_network(*there).save(folder / "model.pt");
  load_network(*here, Archive::load(folder / "model.pt"));
  CHECK(largest_difference_of(there->parameters(), here->parameters()) == 0);
  load_network(*there, save_network(*relu_network(torch::kCPU)));
  CHECK(largest_difference_of(there->parameters(), relu_network(torch::kCPU)->parameters()) == 0);
}

TEST_CASE("members of an ensemble go the same way on every device", "[device][training]") {
  at::Generator generator = Seed(7).stream("members");
  std::vector<EnsembleMember> here, there;
  for (const int64_t width : {3, 8, 5}) {
    EnsembleMember member;
    member.inputs = at::randn({12, 5}, generator, at::kDouble);
    member.targets = at::randn({12, 1}, generator, at::kDouble);
    member.weights = {at::randn({width, 5}, generator, at::kDouble),
                      at::randn({1, width}, generator, at::kDouble)};
    member.learning_rate = 0.01;
    here.push_back(member);
    for (Tensor* tensor : {&member.inputs, &member.targets, &member.weights[0], &member.weights[1]})
      *tensor = tensor->to(test::test_device());
    there.push_back(member);
  }
  const EnsembleOptions options{.activation = Activation::tanh, .max_steps = 30};
  const auto expected = train_ensemble(here, options), found = train_ensemble(there, options);
  for (size_t i = 0; i < here.size(); ++i) {
    CHECK(found[i].final_loss == Approx(expected[i].final_loss).epsilon(1e-10));
    CHECK(largest_difference_of(found[i].weights, expected[i].weights) < 1e-10);
  }
}
