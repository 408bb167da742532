// Oracle: Hessians of linear networks in closed form.
#include "probes/watch.hpp"
#include "support/catch.hpp"

using namespace plumb;

TEST_CASE("sharpness is the largest eigenvalue of the Hessian of the loss", "[probes][sharpness]") {
  const bool square = GENERATE(true, false);
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(30, 5, 3);
  const auto watcher = test::watch(std::make_shared<test::LinearNetwork>(5, 3), data,
                                   fmt::format("{{loss: {}, optimizer: {{type: sgd, learning_rate: 0.2}}, "
                                               "batch_size: 10, stop: {{steps: 6, epochs: "
                                               "none}}}}",
                                               square ? "{type: square, factor: 1}" : "cross_entropy"),
                                   "[{type: sharpness, every: 3, tolerance: 1e-9, chunk: 7}]", folder.path());
  const Table table = test::probe_table(folder.path(), "sharpness");
  const Tensor x = data.train.inputs;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const Tensor w = watcher->weights[static_cast<size_t>(table.column("step")[row])][0];
    Tensor hessian =
        torch::zeros({15, 15}, torch::kDouble);  // of L as a function of the entries of W, row by row
    for (int64_t i = 0; i < 30; ++i) {
      const Tensor p = torch::softmax(w.mv(x[i]), 0);
      const Tensor curvature =
          square ? Tensor(2 * torch::eye(3, torch::kDouble)) : Tensor(torch::diag(p) - torch::outer(p, p));
      hessian += torch::kron(curvature, torch::outer(x[i], x[i])) / 30;
    }
    CHECK(table.column("sharpness")[row] ==
          Approx(torch::linalg_eigvalsh(hessian)[14].item<double>()).epsilon(1e-8));
    CHECK(table.column("converged")[row] == 1);
    CHECK(table.column("residual")[row] < 1e-6);
  }
}
