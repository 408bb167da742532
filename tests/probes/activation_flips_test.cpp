// Oracle: the hidden layers' inputs, computed from the weights by the definition of the network.
#include "probes/watch.hpp"
#include "support/catch.hpp"

#include "plumb/probes/probe_check.hpp"

using namespace plumb;

namespace {

/// Two hidden layers with activations of other kinds; the second one in place.
struct MixedNetwork final : Network {
  MixedNetwork() {
    to(torch::kDouble);
    at::Generator generator = Seed(6).stream("weights");
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : parameters()) parameter.normal_(0, 0.7, generator);
  }
  Tensor forward(Tensor x) override {
    const Tensor a = torch::leaky_relu(first(x), 0.1);
    Tensor b = second(a);
    return last(torch::threshold(torch::relu_(b), 0.5, 0));
  }

  torch::nn::Linear first{register_module("first", torch::nn::Linear(4, 7))};
  torch::nn::Linear second{register_module("second", torch::nn::Linear(7, 5))};
  torch::nn::Linear last{register_module("last", torch::nn::Linear(5, 3))};
};

struct SmoothNetwork final : Network {
  SmoothNetwork() { to(torch::kDouble); }
  Tensor forward(Tensor x) override { return torch::tanh(layer(x)); }
  torch::nn::Linear layer{register_module("layer", torch::nn::Linear(4, 3))};
};

const std::string flips_training =
    "{optimizer: {type: sgd, learning_rate: 0.5}, batch_size: 5, stop: {steps: 9, epochs: none}}";

Tensor affine(const Tensor& x, const std::vector<Tensor>& weights, size_t layer) {
  return x.mm(weights[2 * layer].t()) + weights[2 * layer + 1];
}

double fraction_of(const std::vector<Tensor>& masks) {
  double set = 0, all = 0;
  for (const Tensor& mask : masks) {
    set += mask.sum().item<double>();
    all += static_cast<double>(mask.numel());
  }
  return set / all;
}

}  // namespace

TEST_CASE("flips are counted at leaky ReLU, ReLU in place and threshold alike",
          "[probes][activation_flips]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 4, 3);
  const auto watcher = test::watch(std::make_shared<MixedNetwork>(), data, flips_training,
                                   "[{type: activation_flips, every: 3, examples: 8}]", folder.path());
  const Tensor x = data.train.inputs.index_select(0, choose_examples(data, 8, Selection::random, Seed(1)));
  const auto signs = [&](size_t k) {
    const Tensor a = affine(x, watcher->weights[k], 0);
    const Tensor b = affine(torch::where(a > 0, a, 0.1 * a), watcher->weights[k], 1);
    return std::vector<Tensor>{a > 0, b > 0, b > 0.5};
  };
  const Table table = test::probe_table(folder.path(), "activation_flips");
  CHECK(table.column("step") == std::vector<double>{0, 3, 6, 9});
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto now = signs(static_cast<size_t>(table.column("step")[row])), start = signs(0);
    std::vector<Tensor> flips, dead;
    for (size_t i = 0; i < 3; ++i) {
      flips.push_back(now[i].ne(start[i]));
      dead.push_back(now[i].any(0).logical_not());
      CHECK(table.column(fmt::format("flipped:activation{}", i + 1))[row] == Approx(fraction_of({flips[i]})));
    }
    CHECK(table.column("flipped")[row] == Approx(fraction_of(flips)));
    CHECK(table.column("active")[row] == Approx(fraction_of(now)));
    CHECK(table.column("dead")[row] == Approx(fraction_of(dead)));
  }
  CHECK(table.column("flipped").back() > 0);
}

TEST_CASE("a network without such activations has no flips to count", "[probes][activation_flips]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 4, 3);
  test::watch(std::make_shared<SmoothNetwork>(), data, flips_training, "[activation_flips]", folder.path());
  const Table table = test::probe_table(folder.path(), "activation_flips");
  CHECK(table.columns == std::vector<std::string>{"step", "epoch", "flipped", "active", "dead"});
  for (const double value : table.column("flipped")) CHECK(std::isnan(value));
  CHECK_THAT(read_file(folder / "probes" / "activation_flips.txt"),
             ContainsSubstring(
                 "from step 0 on: on all 20 examples of the training set, as it has not 64; not defined "
                 "here (nan): flipped, active, dead"));
  SmoothNetwork network;
  CHECK_THROWS_WITH(
      check_probe_obstacles(test::probe_list("[activation_flips]"), network, data,
                            test::training_options(flips_training), Seed(1)),
      ContainsSubstring("probes: activation_flips: the network has no ReLU, leaky ReLU or threshold"));
  MixedNetwork mixed;
  check_probe_obstacles(test::probe_list("[activation_flips]"), mixed, data,
                        test::training_options(flips_training), Seed(1));
}
