// Oracle: the same network with its layer registered once, bit for bit; one gradient step by hand.
#include "models/shared_layers.hpp"
#include "support/catch.hpp"
#include "support/problems.hpp"

using namespace plumb;

namespace {

const std::vector<std::string> optimizer_options{
    "{type: gd, learning_rate: 0.1}", "{type: sgd, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.1}",
    "{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}",
    "{type: adam, learning_rate: 0.1, weight_decay: 0.1}"};

TrainingOptions steps_of(const std::string& optimizer, int64_t steps) {
  return test::training_options(
      fmt::format("{{optimizer: {}, batch_size: 8, stop: {{steps: {}, epochs: none}}}}", optimizer, steps));
}

struct Nothing final : TrainingObserver {};

/// The network after `steps` updates.
std::shared_ptr<test::SharedLayers> train(const test::SharedLayersOptions& shape,
                                          const std::string& optimizer, int64_t steps) {
  const auto network = std::make_shared<test::SharedLayers>(shape);
  Trainer trainer(network, test::random_data(12, 4, 4), steps_of(optimizer, steps), Seed(1));
  Nothing nothing;
  trainer.run(nothing);
  return network;
}

/// f(x) = W' tanh(W x) with W registered as a parameter under two names.
struct TiedTensor final : Network {
  TiedTensor() {
    weight = register_parameter("encoder", torch::eye(4, torch::kDouble) * 0.5);
    register_parameter("decoder", weight);
  }
  Tensor forward(Tensor x) override { return torch::tanh(x.mm(weight.t())).mm(weight); }
  Tensor weight;
};

/// The rows of a table, looked up by the class of the input's largest entry; sparse gradients when asked for.
struct LookUp final : Network {
  explicit LookUp(bool sparse)
      : table(register_module("table",
                              torch::nn::Embedding(torch::nn::EmbeddingOptions(4, 4).sparse(sparse)))) {
    to(torch::kDouble);
    const torch::NoGradGuard no_grad;
    table->weight.copy_(torch::arange(16, torch::kDouble).view({4, 4}).sin());
  }
  Tensor forward(Tensor x) override { return table(x.argmax(1)); }
  torch::nn::Embedding table;
};

}  // namespace

TEST_CASE("a layer registered under two names moves as if it were registered once",
          "[training][parameters]") {
  for (const std::string& optimizer : optimizer_options) {
    INFO(optimizer);
    const auto once = train({.names = {"layer"}}, optimizer, 3);
    const auto twice = train({.names = {"layer", "again"}}, optimizer, 3);
    CHECK(twice->layer->weight.equal(once->layer->weight));
    CHECK(twice->layer->bias.equal(once->layer->bias));
  }
}

TEST_CASE("a tensor registered under two names moves by its gradient once", "[training][parameters]") {
  const TrainingData data = test::random_data(12, 4, 4);
  const auto network = std::make_shared<TiedTensor>();
  const Tensor start = network->weight.detach().clone();
  torch::cross_entropy_loss(network->forward(data.train.inputs), data.train.targets).backward();
  const Tensor expected = start - 0.1 * network->weight.grad();
  Trainer trainer(network, data, steps_of("{type: gd, learning_rate: 0.1}", 1), Seed(1));
  Nothing nothing;
  trainer.run(nothing);
  CHECK(torch::allclose(network->weight.detach(), expected, 1e-14, 1e-15));
  CHECK_FALSE(torch::allclose(network->weight.detach(), start, 1e-3));
}

TEST_CASE("parameters that are fixed or get no gradient stay where they are", "[training][parameters]") {
  for (const std::string& optimizer : optimizer_options) {
    INFO(optimizer);
    const test::SharedLayersOptions shape{.names = {"layer"}, .unused = true, .frozen = true};
    const test::SharedLayers start(shape);
    const auto end = train(shape, optimizer, 3);
    CHECK(end->unused->weight.equal(start.unused->weight));
    CHECK(end->frozen->weight.equal(start.frozen->weight));
    CHECK_FALSE(end->layer->weight.equal(start.layer->weight));
  }
}

TEST_CASE("sparse gradients move an embedding as dense ones do", "[training][parameters]") {
  for (const std::string& optimizer : optimizer_options) {
    INFO(optimizer);
    const auto trained = [&](bool sparse) {
      const auto network = std::make_shared<LookUp>(sparse);
      Trainer trainer(network, test::random_data(12, 4, 4), steps_of(optimizer, 4), Seed(1));
      Nothing nothing;
      trainer.run(nothing);
      return network->table->weight.detach();
    };
    CHECK(torch::allclose(trained(true), trained(false), 1e-14, 1e-15));
  }
}

TEST_CASE("overlapping and derived parameters are refused before training", "[training][parameters]") {
  struct Views final : Network {
    explicit Views(const Tensor& second) {
      weight = register_parameter("first", torch::ones({4, 4}, torch::kDouble));
      other = register_parameter("second", second.defined() ? second : weight.detach().t());
    }
    Tensor forward(Tensor x) override { return x.mm(weight).mm(other); }
    Tensor weight, other;
  };
  const auto train_with = [](const Tensor& second) {
    Trainer trainer(std::make_shared<Views>(second), test::random_data(12, 4, 4),
                    steps_of("{type: gd, learning_rate: 0.1}", 1), Seed(1));
  };
  CHECK_THROWS_WITH(train_with({}),
                    ContainsSubstring("'first' and 'second' are different tensors that share"));
  const Tensor leaf = torch::ones({4, 4}, torch::kDouble).requires_grad_();
  CHECK_THROWS_WITH(train_with(leaf * 2), ContainsSubstring("'second' is computed from other tensors"));
  CHECK_THROWS_WITH(train_with(torch::ones({1, 4}, torch::kDouble).expand({4, 4})),
                    ContainsSubstring("elements of the parameter 'second' share memory"));
}
