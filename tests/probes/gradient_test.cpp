// Oracle: closed forms for linear least squares.
#include "probes/watch.hpp"
#include "support/catch.hpp"

using namespace plumb;

namespace {

const std::string least_squares =
    "{loss: {type: square, factor: 1}, optimizer: {type: gd, learning_rate: 0.05}, stop: {steps: 12, epochs: "
    "none}, "
    "evaluate_every: 100}";

/// L = 1/n ||X W' - Y||^2 and what follows from it.
struct LeastSquares {
  Tensor x, y;

  explicit LeastSquares(const TrainingData& data, const Tensor& indices = {}) {
    x = indices.defined() ? data.train.inputs.index_select(0, indices) : data.train.inputs;
    const Tensor labels =
        indices.defined() ? data.train.targets.index_select(0, indices) : data.train.targets;
    y = torch::one_hot(labels, 3).to(torch::kDouble);
  }
  Tensor residual(const Tensor& w) const { return x.mm(w.t()) - y; }
  double loss(const Tensor& w) const { return (residual(w).square().sum() / x.size(0)).item<double>(); }
  double gradient(const Tensor& w) const {
    return (2 * residual(w).t().mm(x) / x.size(0)).norm().item<double>();
  }
  Tensor sample_gradients(const Tensor& w) const { return 2 * residual(w).norm(2, 1) * x.norm(2, 1); }
  Tensor solution() const { return torch::linalg_solve(x.t().mm(x), x.t().mm(y)).t(); }
  double smallest_curvature() const {
    return torch::linalg_eigvalsh(x.t().mm(x) / x.size(0))[0].item<double>();
  }
};

}  // namespace

TEST_CASE("gradient, PL ratio and sample gradients are those of linear least squares", "[probes][gradient]") {
  const std::string chunk = GENERATE("7", "500");
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 4, 3);
  const LeastSquares problem(data);
  const double optimum = problem.loss(problem.solution());
  const auto watcher =
      test::watch(std::make_shared<test::LinearNetwork>(4, 3), data, least_squares,
                  fmt::format("[{{type: gradient, every: 1, examples: 20, chunk: {}, optimum: {:.17g}}}]",
                              chunk, optimum),
                  folder.path());
  const Table table = test::probe_table(folder.path(), "gradient");
  REQUIRE(table.rows.size() == 13);
  double infimum = std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < table.rows.size(); ++k) {
    const Tensor w = watcher->weights[k][0];
    const double loss = problem.loss(w), gradient = problem.gradient(w);
    const double ratio = gradient * gradient / (loss - optimum);
    infimum = std::min(infimum, ratio);
    const Tensor samples = problem.sample_gradients(w);
    CHECK(table.column("step")[k] == static_cast<double>(k));
    CHECK(table.column("loss")[k] == Approx(loss).epsilon(1e-12));
    CHECK(table.column("gradient_norm")[k] == Approx(gradient).epsilon(1e-12));
    CHECK(table.column("pl_ratio")[k] == Approx(ratio).epsilon(1e-9));
    CHECK(table.column("pl_infimum")[k] == Approx(infimum).epsilon(1e-9));
    CHECK(table.column("largest_sample_gradient")[k] == Approx(samples.max().item<double>()).epsilon(1e-12));
    CHECK(table.column("mean_sample_gradient")[k] ==
          Approx(samples.square().mean().sqrt().item<double>()).epsilon(1e-12));
    // ||grad L||^2 >= 4 lambda_min(X'X / n) (L - L*) for L = 1/n ||X W' - Y||^2.
    CHECK(table.column("pl_ratio")[k] >= 4 * problem.smallest_curvature() * (1 - 1e-9));
  }
}

TEST_CASE("the gradient can be that of a part of the training set", "[probes][gradient]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(20, 4, 3);
  const auto watcher = test::watch(std::make_shared<test::LinearNetwork>(4, 3), data, least_squares,
                                   "[{type: gradient, loss_examples: 6, at: ends}]", folder.path());
  const LeastSquares problem(data, choose_examples(data, 6, Selection::random, Seed(1)));
  const Table table = test::probe_table(folder.path(), "gradient");
  CHECK(table.column("step") == std::vector<double>{0, 12});
  CHECK(table.column("loss")[1] == Approx(problem.loss(watcher->weights[12][0])).epsilon(1e-12));
  CHECK(table.column("gradient_norm")[1] == Approx(problem.gradient(watcher->weights[12][0])).epsilon(1e-12));
}
