// Oracle: Jacobians by autograd and ranks by their singular values.
#include "plumb/theory/jacobian_structure.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

/// A hidden layer of leaky ReLU units with noise on its slopes, all drawn at random.
struct Layer {
  Tensor inputs, weights, output_weights, noise;
  double slope;

  Layer(int64_t n, int64_t d0, int64_t d1, double negative_slope, double spread,
        const char* purpose = "layer")
      : slope(negative_slope) {
    at::Generator generator = Seed(21).stream(purpose);
    inputs = torch::randn({n, d0}, generator, torch::kDouble);
    weights = torch::randn({d1, d0}, generator, torch::kDouble);
    output_weights = torch::randn({d1}, generator, torch::kDouble);
    noise = 1 + spread * (torch::rand({n, d1}, generator, torch::kDouble) - 0.5);
  }
  Tensor forward(const Tensor& w) const {
    const Tensor z = at::mm(inputs, w.t());
    return at::mv(noise * torch::where(z > 0, z, slope * z), output_weights);
  }
  Tensor slopes() const {
    const Tensor z = at::mm(inputs, weights.t());
    return noise * torch::where(z > 0, torch::ones_like(z), torch::full_like(z, slope));
  }
  Tensor jacobian() const {
    const Tensor w = weights.detach().clone().requires_grad_(true);
    const Tensor outputs = forward(w);
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < outputs.size(0); ++i)
      rows.push_back(torch::autograd::grad({outputs[i]}, {w}, {}, true)[0].reshape({-1}));
    return torch::stack(rows);
  }
  NoisyLayer described(double spread) const {
    return {inputs.size(0), inputs.size(1), weights.size(0),
            slope,          spread,         output_weights.abs().min().item<double>()};
  }
};

/// The rank with a relative tolerance of 1e-12: sigma_min/sigma_max is above 1e-6 for the matrices here.
double svd_rank(const Tensor& j) {
  const Tensor values = at::linalg_svdvals(j);
  return (values > 1e-12 * values[0]).sum().item<double>();
}

double smallest(const Tensor& j) { return at::linalg_eigvalsh(at::mm(j, j.t()))[0].item<double>(); }

}  // namespace

TEST_CASE("the Jacobian of a hidden layer is the rowwise Kronecker product of slopes and inputs",
          "[theory][jacobian]") {
  const Layer layer(7, 3, 4, 0.2, 0.6);
  CHECK(at::allclose(hidden_layer_jacobian(layer.inputs, layer.slopes(), layer.output_weights),
                     layer.jacobian()));
  CHECK_THROWS_AS(hidden_layer_jacobian(layer.inputs, layer.slopes().t(), layer.output_weights),
                  ContractError);
  CHECK_THROWS_AS(rowwise_kronecker(layer.inputs, layer.inputs.slice(0, 0, 2)), ContractError);
}

TEST_CASE("with multiplicative noise the rank is min(n, d0 d1), on both sides of n = d0 d1",
          "[theory][jacobian]") {
  for (const auto& [n, d0, d1] : {std::tuple{12, 4, 3}, {20, 4, 3}, {8, 4, 3}, {40, 2, 20}}) {
    const Layer layer(n, d0, d1, 0.1, 1);
    CHECK(judge(noisy_layer_rank(layer.described(1)), {svd_rank(layer.jacobian()), 0, ""}).ruling ==
          Ruling::holds);
    CHECK(judge(noisy_layer_rank(layer.described(1)), {svd_rank(layer.jacobian()) - 1, 0, ""}).ruling ==
          Ruling::fails);
  }
}

TEST_CASE("without noise, units that point one way give rank d0, and the theorem does not apply",
          "[theory][jacobian]") {
  Layer layer(30, 6, 10, 0.1, 0);
  at::Generator generator = Seed(22).stream("cone");
  const Tensor axis = torch::randn({1, 6}, generator, torch::kDouble);
  layer.weights = axis + 1e-6 * torch::randn({10, 6}, generator, torch::kDouble);
  const double rank = svd_rank(layer.jacobian());
  CHECK(rank == 6);
  const Verdict verdict = judge(noisy_layer_rank(layer.described(0)), {rank, 0, ""});
  CHECK(verdict.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(verdict.relation_true);
  layer.noise = 0.5 + torch::rand({30, 10}, generator, torch::kDouble);
  CHECK(judge(noisy_layer_rank(layer.described(1)), {svd_rank(layer.jacobian()), 0, ""}).ruling ==
        Ruling::holds);
}

TEST_CASE("ReLU is outside the theorem with noise, too: inactive examples stay inactive",
          "[theory][jacobian]") {
  const Layer layer(40, 20, 2, 0, 1);
  const Verdict verdict = judge(noisy_layer_rank(layer.described(1)), {svd_rank(layer.jacobian()), 0, ""});
  CHECK(verdict.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(verdict.relation_true);
}

TEST_CASE("bad local minima are excluded only for wide enough last layers", "[theory][jacobian]") {
  const NoisyLayer wide{12, 4, 3, 0.1, 1, 1};
  CHECK(judge(no_bad_local_minima(wide, 1e-10), {1e-12, 0, ""}).ruling == Ruling::holds);
  CHECK(judge(no_bad_local_minima(wide, 1e-10), {0.1, 0, ""}).ruling == Ruling::fails);
  const NoisyLayer narrow{13, 4, 3, 0.1, 1, 1};
  CHECK(judge(no_bad_local_minima(narrow, 1e-10), {0.1, 0, ""}).ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("the Jacobian of a linear hidden layer has the product of two ranks", "[theory][jacobian]") {
  at::Generator generator = Seed(23).stream("linear");
  const auto of_rank = [&](int64_t rows, int64_t columns, int64_t rank) {
    // Integers: rounded products have full rank.
    return at::mm(at::randint(-9, 10, {rows, rank}, generator, at::TensorOptions(torch::kDouble)),
                  at::randint(-9, 10, {rank, columns}, generator, at::TensorOptions(torch::kDouble)));
  };
  for (const auto& [rank_x, rank_v] : {std::pair{5, 3}, {2, 3}, {5, 1}, {3, 2}}) {
    const Tensor x = of_rank(7, 5, rank_x);
    const Tensor v = of_rank(3, 4, rank_v);
    const Tensor w = torch::randn({4, 5}, generator, torch::kDouble).requires_grad_(true);
    const Tensor outputs = at::mm(at::mm(x, w.t()), v.t()).reshape({-1});
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < outputs.size(0); ++i)
      rows.push_back(torch::autograd::grad({outputs[i]}, {w}, {}, true)[0].reshape({-1}));
    const Tensor jacobian = torch::stack(rows);
    CHECK(at::allclose(linear_layer_jacobian(x, v), jacobian));
    CHECK(linear_layer_rank(x, v).value == rank_x * rank_v);
    CHECK(judge(linear_layer_rank(x, v), {svd_rank(jacobian), 0, ""}).ruling == Ruling::holds);
    CHECK(judge(linear_layer_rank(x, v), {svd_rank(jacobian) + 1, 0, ""}).ruling == Ruling::fails);
  }
  CHECK(linear_layer_rank(of_rank(3, 3, 2), torch::zeros({2, 4}, torch::kDouble)).value == 0);
}

TEST_CASE("Schur's bound on lambda_min is reached by a linear layer and holds for kinked ones",
          "[theory][jacobian]") {
  const Layer linear(6, 9, 5, 1, 0);
  const Verdict tight = judge(hidden_layer_lambda_min(linear.inputs, linear.slopes(), linear.output_weights),
                              {smallest(linear.jacobian()), 0, ""});
  CHECK(tight.ruling == Ruling::holds);
  CHECK(tight.margin == Approx(1));
  for (const double slope : {0.0, 0.1}) {
    const Layer layer(20, 30, 15, slope, 0);
    const Prediction bound = hidden_layer_lambda_min(layer.inputs, layer.slopes(), layer.output_weights);
    CHECK(judge(bound, {smallest(layer.jacobian()), 0, ""}).margin > 1);
    CHECK(judge(bound, {0.9 * bound.value, 0, ""}).ruling == Ruling::fails);
  }
}

TEST_CASE("rank n needs independent inputs and every example active", "[theory][jacobian]") {
  const auto verdict_of = [](const Layer& layer) {
    return judge(hidden_layer_full_rank(layer.inputs, layer.slopes(), layer.output_weights),
                 {svd_rank(layer.jacobian()), 0, ""});
  };
  CHECK(verdict_of(Layer(8, 10, 3, 0.1, 0)).ruling == Ruling::holds);
  Layer dependent(8, 10, 3, 0.1, 0);
  dependent.inputs[7] = dependent.inputs[0];
  const Verdict repeated = verdict_of(dependent);
  CHECK(repeated.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(repeated.relation_true);
  Layer inactive(8, 10, 3, 0, 0);
  // One example on the far side of every unit.
  inactive.inputs[0] = -at::linalg_pinv(inactive.weights).sum(1);
  const Verdict dead = verdict_of(inactive);
  CHECK(dead.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(dead.relation_true);
  CHECK_THAT(dead.text(), ContainsSubstring("every example is active"));
  // Saturated to 1e-200, whose square is 0, an example is active all the same.
  Layer saturated(8, 10, 3, 0.1, 0);
  saturated.noise[0] *= 1e-200;
  CHECK(judge(hidden_layer_full_rank(saturated.inputs, saturated.slopes(), saturated.output_weights),
              {8, 0, ""})
            .ruling == Ruling::holds);
}

TEST_CASE("ranks that nothing resolves leave the predictions made of them open", "[theory][jacobian]") {
  at::Generator generator = Seed(24).stream("rounded");
  const auto randn = [&](int64_t rows, int64_t columns) {
    return torch::randn({rows, columns}, generator, torch::kDouble);
  };
  const Tensor x = at::mm(randn(7, 3), randn(3, 9));  // of rank 3 but for rounding, which makes it 7
  const Tensor v = randn(2, 4);
  const Verdict linear = judge(linear_layer_rank(x, v), {6, 0, ""});
  CHECK(linear.text() == "undecided: hypothesis not resolved: rank V rank X is resolved, 6 .. 14");
  const Verdict full = judge(hidden_layer_full_rank(x, randn(7, 4), v[0]), {7, 0, ""});
  CHECK(full.text() == "undecided: hypothesis not resolved: inputs are independent: rank X = n, 3 .. 7");
}

TEST_CASE("the rank of a hidden layer without rounding sees equal patterns of slopes", "[theory][jacobian]") {
  // Units of one cone: slopes v_r s_i, rank d0, whatever rounding does to the products.
  Layer layer(30, 6, 10, 0.1, 0);
  layer.weights = at::outer(torch::ones({10}, torch::kDouble), layer.weights[0]);
  CHECK(exact_hidden_layer_rank(layer.inputs, layer.slopes(), layer.output_weights) == 6);
  CHECK(rank_of_matrix(layer.jacobian()).at_least == 6);
  CHECK(rank_of_matrix(layer.jacobian()).at_most == 30);
  layer.output_weights.zero_();
  CHECK(exact_hidden_layer_rank(layer.inputs, layer.slopes(), layer.output_weights) == 0);
}
