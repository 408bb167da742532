// Oracles: backpropagation by hand through wide random networks with the error of the mean, closed forms, and
// values that PyTorch's autograd found in Python for networks of width 1024.
#include "plumb/theory/infinite_width.hpp"

#include <cmath>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using namespace plumb;
using namespace plumb::theory;

namespace {

using Kind = Nonlinearity::Kind;

/// Four inputs of norms 0.5 to 2, two of them near each other.
Tensor some_inputs() {
  at::Generator generator = Seed(3).stream("inputs");
  Tensor inputs = torch::randn({4, 6}, generator, torch::kDouble);
  inputs /= inputs.norm(2, 1, true);
  inputs[3] = inputs[2] + 0.3 * inputs[1];
  return inputs * torch::tensor({0.5, 1.0, 1.5, 2.0}, torch::kDouble).unsqueeze(1) *
         std::sqrt(static_cast<double>(inputs.size(1)));
}

Tensor apply(const Nonlinearity& f, const Tensor& z) {
  if (f.kind == Kind::erf) return z.erf();
  if (f.kind == Kind::gelu) return z * 0.5 * (1 + (z / std::sqrt(2.0)).erf());
  if (f.kind == Kind::linear) return z;
  return torch::where(z > 0, z, (f.kind == Kind::relu ? 0.0 : f.negative_slope) * z);
}

Tensor apply_slope(const Nonlinearity& f, const Tensor& z) {
  if (f.kind == Kind::erf) return 2 / std::sqrt(M_PI) * (-z * z).exp();
  if (f.kind == Kind::gelu)
    return 0.5 * (1 + (z / std::sqrt(2.0)).erf()) + z * (-z * z / 2).exp() / std::sqrt(2 * M_PI);
  if (f.kind == Kind::linear) return torch::ones_like(z);
  return torch::where(z > 0, torch::ones_like(z),
                      torch::full_like(z, f.kind == Kind::relu ? 0.0 : f.negative_slope));
}

struct Sample {
  Tensor output;    // (n)
  Tensor ntk;       // NTK parameterization
  Tensor standard;  // standard parameterization, with biases
  Tensor features;  // Q Q^T / width of the last hidden layer
};

/// One random network of the given width: its outputs and its kernels, by backpropagation.
Sample draw(const WideMlp& network, const Tensor& inputs, int64_t width, at::Generator& generator) {
  std::vector<Tensor> weights;
  std::vector<Tensor> activations{inputs};
  std::vector<Tensor> slopes;
  int64_t fan_in = inputs.size(1);
  Tensor h;
  for (int64_t layer = 0; layer <= network.depth; ++layer) {
    const int64_t units = layer == network.depth ? 1 : width;
    weights.push_back(torch::randn({units, fan_in}, generator, torch::kDouble) *
                      std::sqrt(network.weight_variance / static_cast<double>(fan_in)));
    const Tensor bias = torch::randn({units}, generator, torch::kDouble) * std::sqrt(network.bias_variance);
    h = at::mm(activations.back(), weights.back().t()) + bias;
    if (layer == network.depth) break;
    activations.push_back(apply(network.nonlinearity, h));
    slopes.push_back(apply_slope(network.nonlinearity, h));
    fan_in = width;
  }
  Sample sample;
  sample.output = h.squeeze(1);
  sample.features = at::mm(activations.back(), activations.back().t()) / static_cast<double>(width);
  const int64_t n = inputs.size(0);
  sample.ntk = torch::zeros({n, n}, torch::kDouble);
  sample.standard = torch::zeros({n, n}, torch::kDouble);
  Tensor back = torch::ones({n, 1}, torch::kDouble);
  for (int64_t layer = network.depth; layer >= 0; --layer) {
    const auto at = static_cast<size_t>(layer);
    const Tensor backs = at::mm(back, back.t());
    const Tensor inner = at::mm(activations[at], activations[at].t());
    const double scale = network.weight_variance / static_cast<double>(activations[at].size(1));
    sample.ntk += backs * (scale * inner + network.bias_variance);
    sample.standard += backs * (inner + 1);
    if (layer > 0) back = at::mm(back, weights[at]) * slopes[at - 1];
  }
  return sample;
}

/// The largest |mean - claimed| in units of its allowance: five standard errors, and the bias of a finite
/// width, 4 depth/width relative to the largest entry (measured to be below half of that at widths 64 to
/// 512).
double apart(const Tensor& samples, const Tensor& claimed, double bias) {
  const double root = std::sqrt(static_cast<double>(samples.size(0)));
  const Tensor allowance = 5 * samples.std(0) / root + bias * claimed.abs().max();
  return ((samples.mean(0) - claimed).abs() / allowance).max().item<double>();
}

const std::vector<WideMlp> networks{
    {1, {Kind::relu}, 2, 0},    {2, {Kind::relu}, 2, 0.1}, {3, {Kind::leaky_relu, 0.2}, 1.7, 0.05},
    {2, {Kind::erf}, 1.5, 0.3}, {2, {Kind::gelu}, 2, 0.1}, {2, {Kind::linear}, 0.8, 0.2}};

}  // namespace

TEST_CASE("NNGP and NTK are the means of wide random networks' kernels", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  const int64_t width = 256;
  const int64_t draws = 100;
  at::Generator generator = Seed(4).stream("networks");
  for (const WideMlp& network : networks) {
    std::vector<Tensor> ntk;
    std::vector<Tensor> standard;
    std::vector<Tensor> features;
    for (int64_t i = 0; i < draws; ++i) {
      const Sample sample = draw(network, inputs, width, generator);
      ntk.push_back(sample.ntk);
      standard.push_back(sample.standard);
      features.push_back(sample.features);
    }
    const double bias = 4.0 * static_cast<double>(network.depth) / static_cast<double>(width);
    const InfiniteKernels kernels = infinite_kernels(network, inputs);
    const Tensor last = last_layer_kernel(network, inputs, inputs);
    CAPTURE(network.depth, static_cast<int>(network.nonlinearity.kind));
    CHECK(apart(torch::stack(ntk), kernels.ntk, bias) < 1);
    CHECK(apart(torch::stack(features), last, bias) < 1);
    // The output's covariance given the hidden layers is s_w times that of the features, plus the bias's.
    CHECK(at::allclose(kernels.nngp, network.weight_variance * last + network.bias_variance));
    const std::vector<int64_t> widths(static_cast<size_t>(network.depth), width);
    const InfiniteKernels grown = standard_kernels(network, inputs, inputs, widths, true);
    CHECK(apart(torch::stack(standard), grown.ntk, bias) < 1);
    CHECK(at::allclose(grown.nngp, kernels.nngp));
  }
}

TEST_CASE("the NNGP is the covariance of random networks' outputs", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  at::Generator generator = Seed(6).stream("outputs");
  const WideMlp network{2, {Kind::relu}, 2, 0.1};
  std::vector<Tensor> products;
  for (int64_t i = 0; i < 3000; ++i) {
    const Tensor output = draw(network, inputs, 64, generator).output;
    products.push_back(at::outer(output, output));
  }
  CHECK(apart(torch::stack(products), infinite_kernels(network, inputs).nngp, 2.0 / 64) < 1);
}

TEST_CASE("kernels between two sets are blocks of the kernel of their union", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  for (const WideMlp& network : networks) {
    const InfiniteKernels whole = infinite_kernels(network, inputs);
    const InfiniteKernels block = infinite_kernels(network, inputs.slice(0, 0, 3), inputs.slice(0, 1, 4));
    // Where an example meets its copy the derivative is accurate to the square root of rounding.
    CHECK(at::allclose(block.ntk, whole.ntk.slice(0, 0, 3).slice(1, 1, 4), 1e-6, 1e-9));
    CHECK(at::allclose(block.nngp, whole.nngp.slice(0, 0, 3).slice(1, 1, 4), 1e-12, 1e-12));
    CHECK(at::allclose(whole.ntk, whole.ntk.t(), 1e-12, 1e-14));
    CHECK(at::linalg_eigvalsh(whole.ntk).min().item<double>() > -1e-12);
  }
}

TEST_CASE("one hidden ReLU layer of unit inputs has the kernels of Du et al. and of the slides",
          "[theory][kernels]") {
  Tensor inputs = some_inputs();
  inputs /= inputs.norm(2, 1, true);
  const Tensor rho = at::mm(inputs, inputs.t());
  const Tensor first = first_layer_kernel({Kind::relu}, inputs);
  CHECK(at::allclose(first, rho * (M_PI - rho.clamp(-1, 1).acos()) / (2 * M_PI), 1e-7, 1e-9));
  CHECK(at::equal(first.diagonal(), torch::full({4}, 0.5, torch::kDouble) * inputs.square().sum(1)));
  WideMlp network;
  network.input_fan_in = false;
  const Tensor last = last_layer_kernel(network, inputs, inputs);
  CHECK(at::allclose(last, arc_cosine_1(rho), 1e-12, 1e-12));
  // Both layers trained: the NTK is their sum.
  CHECK(at::allclose(infinite_kernels(network, inputs).ntk, first + last, 1e-12, 1e-12));
}

TEST_CASE("the NTK is that of networks differentiated by PyTorch in Python", "[theory][kernels]") {
  // Means and standard errors over 60 networks of two hidden layers of 1024 units; torch 2.11, seed 1.
  struct Reference {
    WideMlp network;
    std::vector<double> mean;
    std::vector<double> error;
  };
  const std::vector<Reference> references{
      {{2, {Kind::relu}, 2, 0.1}, {3.54311, 0.86574, 7.19988}, {0.03154, 0.00973, 0.06560}},
      {{2, {Kind::leaky_relu, 0.2}, 2, 0.1}, {3.90135, 0.19337, 7.71639}, {0.03949, 0.01012, 0.07068}},
      {{2, {Kind::erf}, 1.5, 0.3}, {2.62022, 0.46179, 2.97017}, {0.01347, 0.00514, 0.01943}},
      {{2, {Kind::gelu}, 2, 0.1}, {2.89884, 0.42777, 6.55854}, {0.03301, 0.00906, 0.06946}}};
  const Tensor inputs = torch::tensor({{1.0, 0.5, -0.5}, {0.2, -1.0, 1.5}}, torch::kDouble);
  for (const Reference& reference : references) {
    const Tensor ntk = infinite_kernels(reference.network, inputs).ntk.reshape({4});
    for (size_t i = 0; i < 3; ++i) {
      const double here = ntk[std::vector<int64_t>{0, 1, 3}[i]].item<double>();
      CAPTURE(static_cast<int>(reference.network.nonlinearity.kind), here, reference.mean[i]);
      CHECK(std::abs(here - reference.mean[i]) < 4 * reference.error[i]);
    }
  }
}

TEST_CASE("ReLU kernels grow with the norms of their inputs", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  const Tensor scales = torch::tensor({2.0, 0.5, 3.0, 1.0}, torch::kDouble).unsqueeze(1);
  const WideMlp network{3, {Kind::relu}, 2, 0};
  const Tensor expected = infinite_kernels(network, inputs).ntk * scales * scales.t();
  CHECK(at::allclose(infinite_kernels(network, inputs * scales).ntk, expected));
}

TEST_CASE("a network without hidden layers is a linear model", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  const WideMlp network{0, {Kind::gelu}, 1.5, 0.25};
  const Tensor expected = 1.5 * at::mm(inputs, inputs.t()) / 6 + 0.25;
  CHECK(at::allclose(infinite_kernels(network, inputs).nngp, expected));
  CHECK(at::allclose(infinite_kernels(network, inputs).ntk, expected));
}

TEST_CASE("kernels refuse what is not a float64 matrix of examples", "[theory][kernels]") {
  const Tensor inputs = some_inputs();
  CHECK_THROWS_AS(infinite_kernels({}, inputs.to(torch::kFloat)), ContractError);
  CHECK_THROWS_AS(infinite_kernels({}, inputs[0]), ContractError);
  CHECK_THROWS_AS(infinite_kernels({}, inputs, inputs.slice(1, 0, 3)), ContractError);
  WideMlp negative;
  negative.depth = -1;
  CHECK_THROWS_AS(infinite_kernels(negative, inputs), ContractError);
  CHECK_THROWS_AS(standard_kernels({}, inputs, inputs, {3, 4}, true), ContractError);
}
