// Oracle: linear networks are their own linearization; otherwise the Jacobian at the start written out, and
// gradient descent on it in three lines.
#include "probes/relu_jacobian.hpp"
#include "probes/watch.hpp"
#include "support/catch.hpp"

using namespace plumb;

TEST_CASE("a linear network and its linearization stay together", "[probes][linearized_model]") {
  const test::TemporaryFolder folder;
  const std::string optimizer =
      GENERATE(as<std::string>{}, "{type: sgd, learning_rate: 0.1, weight_decay: 0.01}",
               "{type: adam, learning_rate: 0.02}");
  test::watch(
      std::make_shared<test::LinearNetwork>(5, 3), test::random_data(23, 5, 3),
      "{optimizer: " + optimizer +
          ", schedule: {type: exponential, gamma: 0.8}, batch_size: 6, micro_batch: 4, stop: {epochs: 4}}",
      "[{type: linearized_model, every: 5, examples: 9}]", folder.path());
  const Table table = test::probe_table(folder.path(), "linearized_model");
  for (size_t row = 1; row < table.rows.size(); ++row) {
    CHECK(table.column("relative_gap")[row] < 1e-12);
    CHECK(table.column("weight_gap")[row] < 1e-12);
    CHECK(table.column("network_loss")[row] == Approx(table.column("linearized_loss")[row]).epsilon(1e-12));
  }
  CHECK(table.column("network_loss").back() < table.column("network_loss").front());
}

TEST_CASE("the linearized model follows gradient descent on the Jacobian of the start",
          "[probes][linearized_model]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(15, 4, 3);
  const double rate = 0.05;
  const auto watcher =
      test::watch(std::make_shared<test::ReluNetwork>(4, 10, 3), data,
                  "{loss: {type: square, factor: 1}, optimizer: {type: gd, learning_rate: 0.05}, stop: "
                  "{steps: 8, epochs: none}, "
                  "evaluate_every: 100}",
                  "[{type: linearized_model, every: 2, examples: 15, choose: first}]", folder.path());
  const Tensor x = data.train.inputs, y = torch::one_hot(data.train.targets, 3).to(torch::kDouble);
  const auto forward = [&](const std::vector<Tensor>& w) {
    return torch::relu(x.mm(w[0].t()) + w[1]).mm(w[2].t()) + w[3];
  };
  const auto flat = [](const std::vector<Tensor>& w) {
    return torch::cat({w[0].flatten(), w[1].flatten(), w[2].flatten(), w[3].flatten()});
  };
  const Tensor j = test::relu_jacobian(watcher->weights[0], x), h0 = forward(watcher->weights[0]).flatten();
  const Tensor w0 = flat(watcher->weights[0]);
  Tensor u = w0.clone();
  const Table table = test::probe_table(folder.path(), "linearized_model");
  for (int64_t k = 0; k <= 8; ++k) {
    const Tensor linear = h0 + j.mv(u - w0), residual = linear - y.flatten();
    if (k % 2 == 0) {
      const auto row = static_cast<size_t>(k / 2);
      const Tensor h = forward(watcher->weights[static_cast<size_t>(k)]).flatten();
      const Tensor w = flat(watcher->weights[static_cast<size_t>(k)]), taylor = h0 + j.mv(w - w0);
      CHECK(table.column("gap")[row] ==
            Approx((h - linear).norm().item<double>() / std::sqrt(15)).margin(1e-10));
      CHECK(table.column("relative_gap")[row] ==
            Approx((h - linear).norm().item<double>() / h.norm().item<double>()).margin(1e-10));
      CHECK(table.column("taylor_gap")[row] ==
            Approx((h - taylor).norm().item<double>() / h.norm().item<double>()).margin(1e-10));
      CHECK(table.column("linearized_loss")[row] ==
            Approx(residual.square().sum().item<double>() / 15).epsilon(1e-9));
      if (k > 0)
        CHECK(table.column("weight_gap")[row] ==
              Approx((w - u).norm().item<double>() / (w - w0).norm().item<double>()).epsilon(1e-8));
    }
    u = u - rate * 2 * j.t().mv(residual) / 15;
  }
  CHECK(table.column("relative_gap").back() > 1e-4);
}

TEST_CASE("augmented batches are refused", "[probes][linearized_model]") {
  const test::TemporaryFolder folder;
  TrainingData data = test::random_data(12, 4, 2);
  data.augment = [](const Tensor& inputs, at::Generator&) { return inputs; };
  CHECK_THROWS_WITH(test::watch(std::make_shared<test::LinearNetwork>(4, 2), data, "{stop: {epochs: 1}}",
                                "[linearized_model]", folder.path()),
                    ContainsSubstring("batches with random crops or flips"));
}
