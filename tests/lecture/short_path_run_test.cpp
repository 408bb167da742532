// Oracle: automatic differentiation for the closed forms, dense Hessians, a network of one pair solved by
// hand.
#include "plumb/lecture/short_path_run.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/autograd/functional.hpp"
#include "plumb/core/random.hpp"

using namespace plumb;

namespace {

Tensor random_of(std::vector<int64_t> shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

}  // namespace

TEST_CASE("the Jacobian of a tanh network in closed form is that of automatic differentiation",
          "[lecture][short_path_run]") {
  at::Generator generator = Seed(1).stream("test");
  const TanhNetwork network{random_of({3, 4}, generator), torch::tensor({1.0, -1.0}, torch::kDouble)};
  const Tensor weights = random_of({2, 4}, generator);
  const Tensor expected =
      autograd::functional::jacobian([&](const Tensor& w) { return network.predictions(w); }, weights)
          .reshape({3, 8});
  CHECK(torch::allclose(network.jacobian(weights), expected, 1e-12, 1e-14));
  CHECK(torch::allclose(network.gram(weights), at::mm(expected, expected.t()), 1e-12, 1e-14));
}

TEST_CASE("the Hessian's norm is that of the dense matrix", "[lecture][short_path_run]") {
  at::Generator generator = Seed(2).stream("test");
  const TanhNetwork network{random_of({1, 3}, generator),
                            torch::tensor({1.0, -1.0, 1.0, -1.0}, torch::kDouble)};
  const Tensor weights = random_of({4, 3}, generator);
  const Tensor hessian =
      autograd::functional::hessian([&](const Tensor& w) { return network.predictions(w)[0]; }, weights)
          .reshape({12, 12});
  const double expected = at::linalg_eigvalsh(hessian).abs().max().item<double>();
  const HessianNorm norm = hessian_norm(network, weights, generator);
  CHECK(norm.width == 4);
  CHECK(norm.measured == Approx(expected).epsilon(1e-4));
  CHECK(norm.exact.value == Approx(expected).epsilon(1e-12));
}

TEST_CASE("the nearest solution of one pair of units is the symmetric one", "[lecture][short_path_run]") {
  // f(w, v) = (tanh w - tanh v)/sqrt 2 from w = v = 0: the least distance is shared, tanh w = y/sqrt 2.
  const TanhNetwork network{torch::ones({1, 1}, torch::kDouble), torch::tensor({1.0, -1.0}, torch::kDouble)};
  const Tensor start = torch::zeros({2, 1}, torch::kDouble);
  const ShortPathRun run = run_short_path(network, start, torch::tensor({0.3}, torch::kDouble), 2000);
  const double expected = std::sqrt(2.0) * std::atanh(0.3 / std::sqrt(2.0));
  CHECK(run.nearest == Approx(expected));
  CHECK(run.nearest_error < 1e-12);
  CHECK(run.displacements.back() == Approx(expected));
  CHECK(run.path == Approx(expected));  // on a line there is no detour
  CHECK(run.linear_displacement == Approx(0.3));
  CHECK(run.sigma_start == Approx(1));
}

TEST_CASE("a paired start predicts 0", "[lecture][short_path_run]") {
  at::Generator generator = Seed(3).stream("test");
  TanhNetwork network{random_of({3, 4}, generator), {}};
  const Tensor weights = paired_start(network, 6, generator);
  CHECK(network.predictions(weights).abs().max().item<double>() < 1e-15);
}

TEST_CASE("the condition number of one Gaussian number is 1", "[lecture][short_path_run]") {
  at::Generator generator = Seed(4).stream("test");
  CHECK(gaussian_conditioning_of(1, 5, 10, generator).log_condition.value == 0);
  // For 2 x 2 the mean of log kappa(J J^T) is below the bound 2 log 2 + 5 and above 0.
  const theory::Measured two = gaussian_conditioning_of(2, 2, 500, generator).log_condition;
  CHECK(two.value > 2);
  CHECK(two.value < 2 * std::log(2.0) + 5);
}
