// Oracle: Jacobians written out in closed form, and LAPACK on the dense matrices.
#include "probes/relu_jacobian.hpp"
#include "probes/watch.hpp"
#include "support/catch.hpp"

#include "plumb/core/npy.hpp"

using namespace plumb;

namespace {

const std::string kernel_training =
    "{loss: square, optimizer: {type: sgd, learning_rate: 0.02}, batch_size: 5, stop: {steps: 9, epochs: "
    "none}}";

double frobenius(const Tensor& a) { return a.norm().item<double>(); }

}  // namespace

TEST_CASE("the kernel of a linear network is X X' for each output and does not move",
          "[probes][tangent_kernel]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 6, 3);
  test::watch(
      std::make_shared<test::LinearNetwork>(6, 3), data, kernel_training,
      "[{type: tangent_kernel, every: 3, examples: 5, save: true}, {type: jacobian_rank, examples: 5}, "
      "{type: jacobian_rank, name: wide, examples: 12, method: svd}, "
      "{type: jacobian_rank, name: factored, examples: 12, method: tsqr}, "
      "{type: tangent_kernel, name: certified, examples: 5, certificate: true, memory: 1GiB}, "
      "{type: tangent_kernel, name: numpy, every: 3, examples: 5, save: npy}, "
      "{type: jacobian_rank, name: unsaved, examples: 5, save: false}]",
      folder.path());
  const Tensor x = data.train.inputs.index_select(0, choose_examples(data, 5, Selection::random, Seed(1)));
  const Tensor eigenvalues = torch::linalg_eigvalsh(x.mm(x.t()));
  const double smallest = eigenvalues[0].item<double>(), largest = eigenvalues[4].item<double>();
  const Table table = test::probe_table(folder.path(), "tangent_kernel");
  CHECK(table.column("step") == std::vector<double>{0, 3, 6, 9});
  for (size_t row = 0; row < table.rows.size(); ++row) {
    CHECK(std::abs(table.column("relative_drift")[row]) < 1e-12);
    CHECK(table.column("alignment")[row] == Approx(1).epsilon(1e-12));
    CHECK(table.column("lambda_max")[row] == Approx(largest).epsilon(1e-10));
    CHECK(table.column("lambda_min")[row] == Approx(smallest).epsilon(1e-10));
    CHECK(table.column("lambda_min_lower")[row] <= smallest);
    CHECK(table.column("lambda_min_upper")[row] >= smallest);
    CHECK(table.column("pl_constant")[row] == Approx(4 * smallest).epsilon(1e-10));
    CHECK(table.column("pl_constant_karimi")[row] == Approx(2 * smallest).epsilon(1e-10));
  }
  const Tensor saved = Archive::load(folder / "probes" / "tangent_kernel" / "step_3.pt").tensor("kernel");
  CHECK(torch::allclose(saved, torch::kron(x.mm(x.t()), torch::eye(3, torch::kDouble)), 1e-12, 1e-12));
  CHECK(read_file(folder / "probes" / "numpy" / "step_3.kernel.npy") == npy_bytes(saved));
  CHECK_FALSE(std::filesystem::exists(folder / "probes" / "numpy" / "step_3.pt"));
  CHECK_FALSE(std::filesystem::exists(folder / "probes" / "unsaved"));
  const Table rank = test::probe_table(folder.path(), "jacobian_rank");
  CHECK(rank.column("rank")[0] == 15);
  CHECK(rank.column("at_least")[0] == 15);
  CHECK(rank.column("at_most")[0] == 15);
  CHECK(rank.column("full_rank")[0] == 15);
  CHECK(rank.column("resolved")[0] == 1);
  CHECK(rank.column("sigma_max")[0] == Approx(std::sqrt(largest)).epsilon(1e-10));
  CHECK(rank.column("sigma_min")[0] == Approx(std::sqrt(smallest)).epsilon(1e-8));
  CHECK(rank.column("condition")[0] == Approx(std::sqrt(largest / smallest)).epsilon(1e-8));
  CHECK(rank.column("stable_rank")[0] ==
        Approx(3 * eigenvalues.sum().item<double>() / largest).epsilon(1e-8));
  // 12 examples span only 6 dimensions: 3 outputs times 6.
  const Table wide = test::probe_table(folder.path(), "wide");
  CHECK(wide.column("rank")[0] == 18);
  CHECK(wide.column("at_least")[0] == 18);
  CHECK(wide.column("at_most")[0] == 18);
  CHECK(wide.column("full_rank")[0] == 18);  // min(36, 18 weights)
  const Table factored = test::probe_table(folder.path(), "factored");
  CHECK(factored.column("at_least")[0] == 18);
  CHECK(factored.column("sigma_min")[0] == Approx(wide.column("sigma_min")[0]).epsilon(1e-10));
  const Table certified = test::probe_table(folder.path(), "certified");
  CHECK(certified.column("lambda_min_lower")[0] >= table.column("lambda_min_lower")[0]);
  CHECK(certified.column("lambda_min_lower")[0] <= smallest);
}

TEST_CASE("drift, alignment and eigenvalues follow from the Jacobians at the recorded weights",
          "[probes][tangent_kernel]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 4, 3);
  const auto watcher =
      test::watch(std::make_shared<test::ReluNetwork>(4, 30, 3), data, kernel_training,
                  "[{type: tangent_kernel, every: 3, examples: 6, by_parameter: true}, "
                  "{type: tangent_kernel, name: summed, every: 3, examples: 6, outputs: summed}, "
                  "{type: jacobian_rank, every: 3, examples: 6}]",
                  folder.path());
  const Tensor indices = choose_examples(data, 6, Selection::random, Seed(1));
  const Tensor x = data.train.inputs.index_select(0, indices);
  const Tensor y = torch::one_hot(data.train.targets.index_select(0, indices), 3).to(torch::kDouble);
  const Tensor first = test::relu_jacobian(watcher->weights[0], x);
  const auto summed_kernel = [](const Tensor& j) {
    const Tensor rows = j.view({6, -1});  // one row of 3 p for each example
    return rows.mm(rows.t());
  };
  const Table table = test::probe_table(folder.path(), "tangent_kernel");
  const Table summed = test::probe_table(folder.path(), "summed");
  const Table rank = test::probe_table(folder.path(), "jacobian_rank");
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto k = static_cast<size_t>(table.column("step")[row]);
    const Tensor j = test::relu_jacobian(watcher->weights[k], x);
    const Tensor g = j.mm(j.t()), start = first.mm(first.t()), s = summed_kernel(j), yy = y.mm(y.t());
    const Tensor values = torch::linalg_eigvalsh(g);
    CHECK(table.column("drift")[row] == Approx(frobenius(g - start)).margin(1e-12));
    CHECK(table.column("relative_drift")[row] ==
          Approx(frobenius(g - start) / frobenius(start)).margin(1e-12));
    CHECK(table.column("operator_drift")[row] ==
          Approx(torch::linalg_eigvalsh(g - start).abs().max().item<double>()).margin(1e-12));
    CHECK(table.column("alignment")[row] ==
          Approx((g * start).sum().item<double>() / (frobenius(g) * frobenius(start))).epsilon(1e-12));
    CHECK(table.column("target_alignment")[row] ==
          Approx((s * yy).sum().item<double>() / (frobenius(s) * frobenius(yy))).epsilon(1e-12));
    CHECK(table.column("lambda_min")[row] == Approx(values[0].item<double>()).epsilon(1e-9));
    CHECK(summed.column("relative_drift")[row] ==
          Approx(frobenius(s - summed_kernel(first)) / frobenius(summed_kernel(first))).margin(1e-12));
    CHECK(summed.column("target_alignment")[row] ==
          Approx(table.column("target_alignment")[row]).epsilon(1e-12));
    // The part of the hidden weights: columns 0 to 119 of J.
    const Tensor part = j.slice(1, 0, 120), part0 = first.slice(1, 0, 120);
    CHECK(table.column("relative_drift:hidden.weight")[row] ==
          Approx(frobenius(part.mm(part.t()) - part0.mm(part0.t())) / frobenius(part0.mm(part0.t())))
              .margin(1e-12));
    const Tensor sigma = torch::linalg_svdvals(j);
    CHECK(rank.column("rank")[row] == 18);
    CHECK(rank.column("sigma_min")[row] == Approx(sigma[17].item<double>()).epsilon(1e-7));
    const Tensor p = sigma / sigma.sum();
    CHECK(rank.column("effective_rank")[row] ==
          Approx(std::exp(-(p * p.log()).sum().item<double>())).epsilon(1e-7));
    const Tensor saved = Archive::load(folder / "probes" / "jacobian_rank" / fmt::format("step_{}.pt", k))
                             .tensor("singular_values");
    CHECK(torch::allclose(saved, sigma, 1e-6, 1e-9));
  }
  CHECK(table.column("relative_drift").back() > 1e-3);
}
