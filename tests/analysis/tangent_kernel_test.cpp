// Oracle: J by one backward pass per row, taken here with torch::autograd::grad; G = J J' from it.
#include "plumb/analysis/tangent_kernel.hpp"

#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "analysis/kernels.hpp"
#include "support/catch.hpp"
#include "support/networks.hpp"
#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"

using namespace plumb;
using test::brute_force_jacobian;
using test::DoubledInBatches;
using test::relative_error;

namespace {

/// How many parameters of a layer case are used in ways that are not recognised and go by rows.
const std::map<std::string, size_t> by_rows{{"attention with a learned token and positions", 1},
                                            {"batched product with a weight", 1},
                                            {"group and instance normalization", 2},
                                            {"normalized weight", 2},
                                            {"outputs that only a bias moves", 1},
                                            {"prelu and bilinear", 2},
                                            {"scaled kernel and channels", 1},
                                            {"three-dimensional convolution", 2},
                                            {"transposed convolution", 2},
                                            {"weights as parts of one parameter", 1}};

}  // namespace

TEST_CASE("a small convolutional network's kernel is J J' by every route", "[analysis][tangent_kernel]") {
  torch::manual_seed(0);
  torch::nn::Sequential net(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3).padding(1)),
                            torch::nn::ReLU(), torch::nn::MaxPool2d(2),
                            torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 6, 3).groups(2).stride(2)),
                            torch::nn::BatchNorm2d(6), torch::nn::ReLU(), torch::nn::Flatten(),
                            torch::nn::Linear(6 * 3 * 3, 12), torch::nn::Tanh(), torch::nn::Linear(12, 4));
  net->to(torch::kDouble);
  net->eval();
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({5, 3, 16, 16}, torch::kDouble);
  const Tensor jacobian = brute_force_jacobian(function, inputs);
  const Tensor expected = jacobian.mm(jacobian.t());
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured}) {
    const auto kernel = tangent_kernel(function, inputs, {.route = route});
    CAPTURE(kernel.route);
    CHECK(kernel.notes.empty());
    CHECK(relative_error(kernel.matrix, expected) < 1e-12);
    CHECK(kernel.error < 1e-12);
    const auto summed = tangent_kernel(function, inputs, {.route = route, .outputs = KernelOutputs::summed});
    CHECK(relative_error(summed.matrix, expected.view({5, 4, 5, 4}).diagonal(0, 1, 3).sum(-1)) < 1e-12);
    CHECK(summed.error < 1e-12);
  }
  CHECK(relative_error(Jacobian(function, inputs).dense(), jacobian) < 1e-13);
}

TEST_CASE("every kind of layer gives the kernel J J' by every route, whole, summed and by parameter",
          "[analysis][tangent_kernel]") {
  for (const test::LayerCase& network : test::layer_cases()) {
    INFO(network.name);
    const NetworkFunction function(*network.module, network.forward);
    const Tensor jacobian = brute_force_jacobian(function, network.inputs);
    const Tensor expected = jacobian.mm(jacobian.t());
    const int64_t n = network.inputs.size(0), c = expected.size(0) / n;
    CHECK(relative_error(Jacobian(function, network.inputs).dense(), jacobian) < 1e-12);
    for (const auto route :
         {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured}) {
      const auto kernel = tangent_kernel(function, network.inputs, {.route = route});
      CAPTURE(network.name, kernel.route, kernel.notes);
      if (route == KernelRoute::structured) {
        const auto expected_rows = by_rows.find(network.name);
        const auto rows = std::count_if(
            kernel.notes.begin(), kernel.notes.end(),
            [](const std::string& note) { return note.find("went by rows") != std::string::npos; });
        CHECK(rows ==
              (expected_rows == by_rows.end() ? 0 : static_cast<std::ptrdiff_t>(expected_rows->second)));
        CHECK(kernel.notes.size() ==
              static_cast<size_t>(rows) + (network.name == "parameters that nothing uses" ? 3 : 0));
      }
      CHECK(relative_error(kernel.matrix, expected) < 1e-11);
      CHECK(kernel.matrix.equal(kernel.matrix.t()));
      const auto summed =
          tangent_kernel(function, network.inputs, {.route = route, .outputs = KernelOutputs::summed});
      CHECK(relative_error(summed.matrix, expected.view({n, c, n, c}).diagonal(0, 1, 3).sum(-1)) < 1e-11);
      const int64_t half = n / 2;
      const auto cross = tangent_kernel(function, network.inputs.slice(0, 0, 2),
                                        network.inputs.slice(0, half), {.route = route});
      CHECK(relative_error(cross.matrix, expected.slice(0, 0, 2 * c).slice(1, half * c)) < 1e-11);
      const auto split = tangent_kernel_by_parameter(function, network.inputs, {.route = route});
      const auto split_cross = tangent_kernel_by_parameter(function, network.inputs.slice(0, 0, 2),
                                                           network.inputs.slice(0, half), {.route = route});
      int64_t begin = 0;
      for (size_t p = 0; p < split.names.size(); ++p) {
        const int64_t end = begin + function.parameters()[p].numel();
        const Tensor part = jacobian.slice(1, begin, end);
        const double scale = expected.norm().item<double>();
        CAPTURE(split.names[p]);
        const Tensor own = part.mm(part.t());
        CHECK((split.matrices[p] - own).norm().item<double>() < 1e-11 * scale);
        const Tensor own_cross = own.slice(0, 0, 2 * c).slice(1, half * c);
        CHECK((split_cross.matrices[p] - own_cross).norm().item<double>() < 1e-11 * scale);
        begin = end;
      }
    }
  }
}

TEST_CASE("a small memory budget takes the kernel in blocks with the same result",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Linear(40, 300), torch::nn::ReLU(), torch::nn::Linear(300, 300),
                            torch::nn::Tanh(), torch::nn::Linear(300, 7));
  net->to(torch::kDouble);
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({60, 40}, torch::kDouble),
               others = torch::randn({33, 40}, torch::kDouble);
  // The kernel, the least temporary tensors, and J' u of two sides and a block.
  const int64_t least = (60 * 7) * (60 * 7) * 8 + (16 << 20) + 3 * function.parameter_count() * 8;
  for (const auto outputs : {KernelOutputs::pairs, KernelOutputs::summed}) {
    const auto whole = tangent_kernel(function, inputs, {.outputs = outputs});
    CHECK(whole.blocks == 1);
    for (const int64_t spare : {400'000, 100'000, 60'000}) {
      const auto tiled = tangent_kernel(
          function, inputs, {.route = KernelRoute::structured, .outputs = outputs, .memory = least + spare});
      CHECK(tiled.blocks > 1);
      CHECK(relative_error(tiled.matrix, whole.matrix) < 1e-13);
    }
    const auto cross = tangent_kernel(function, inputs, others, {.outputs = outputs});
    const auto tiled =
        tangent_kernel(function, inputs, others,
                       {.route = KernelRoute::structured, .outputs = outputs, .memory = least + 100'000});
    CHECK(tiled.blocks > 1);
    CHECK(relative_error(tiled.matrix, cross.matrix) < 1e-13);
  }
  CHECK_THROWS_WITH(tangent_kernel(function, inputs, {.memory = 1 << 20}),
                    ContainsSubstring("a memory budget of 1.00 MiB is too small") &&
                        ContainsSubstring("the least that can be held"));
}

TEST_CASE("restricting the parameters to a layer gives the kernel of that layer",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(2);
  torch::nn::Sequential net(torch::nn::Linear(5, 9), torch::nn::ReLU(), torch::nn::Linear(9, 3));
  net->to(torch::kDouble);
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({4, 5}, torch::kDouble);
  const auto kernel = tangent_kernel(function.restricted({"2"}), inputs);
  // The last layer: (H H' + 1) x I.
  const Tensor hidden = torch::relu(net->ptr<torch::nn::LinearImpl>(0)->forward(inputs)).detach();
  const Tensor expected = torch::kron(hidden.mm(hidden.t()) + 1, torch::eye(3, torch::kDouble));
  CHECK(relative_error(kernel.matrix, expected) < 1e-14);
  CHECK(kernel.route == "structured: 1 identity");
  CHECK_THROWS_WITH(function.restricted({"7"}),
                    ContainsSubstring("no parameter is called '7'; known: 0.weight"));
  CHECK(net->ptr<torch::nn::LinearImpl>(0)->weight.requires_grad());
}

TEST_CASE("what cannot have a tangent kernel is refused by name", "[analysis][tangent_kernel]") {
  torch::manual_seed(3);
  torch::nn::Sequential net(torch::nn::Linear(4, 6), torch::nn::BatchNorm1d(6), torch::nn::Dropout(0.5),
                            torch::nn::Linear(6, 2));
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({5, 4});
  CHECK_THROWS_WITH(tangent_kernel(function, inputs),
                    ContainsSubstring("layer 1") && ContainsSubstring("couples its examples"));
  net->ptr(1)->eval();
  CHECK_THROWS_WITH(tangent_kernel(function, inputs),
                    ContainsSubstring("layer 2") && ContainsSubstring("at random"));
  net->eval();
  CHECK_NOTHROW(tangent_kernel(function, inputs));
  CHECK_THROWS_WITH(tangent_kernel(function, inputs.slice(0, 0, 0)),
                    ContainsSubstring("the batch of inputs is empty"));
  CHECK_THROWS_WITH(tangent_kernel(function, inputs.to(torch::kDouble)),
                    ContainsSubstring("inputs are Double"));
  net->ptr<torch::nn::LinearImpl>(3)->weight.data()[0][0] = NAN;
  CHECK_THROWS_WITH(tangent_kernel(function, inputs),
                    ContainsSubstring("3.weight holds numbers that are not finite"));
  torch::nn::Sequential nothing{torch::nn::ReLU()};
  CHECK_THROWS_WITH(tangent_kernel({*nothing, [&](const Tensor& x) { return nothing->forward(x); }}, inputs),
                    ContainsSubstring("no parameters"));
  torch::nn::Linear linear(4, 2);
  CHECK_THROWS_WITH(
      tangent_kernel({*linear, [&](const Tensor& x) { return linear->forward(x + torch::randn_like(x)); }},
                     inputs),
      ContainsSubstring("change from one call to the next"));
  CHECK_THROWS_WITH(
      tangent_kernel({*linear, [&](const Tensor& x) { return linear->forward(x - x.mean(0)); }}, inputs),
      ContainsSubstring("depends on the rest of the batch"));
  linear->bias.set_data(linear->bias.to(torch::kDouble));
  CHECK_THROWS_WITH(tangent_kernel({*linear, [&](const Tensor& x) { return linear->forward(x); }}, inputs),
                    ContainsSubstring("one dtype is needed"));
}

TEST_CASE("without checks the kernel is the same, and noise is refused all the same",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(4);
  torch::nn::Linear linear(4, 2);
  const NetworkFunction function(*linear, [&](const Tensor& x) { return linear->forward(x); });
  const Tensor inputs = torch::randn({5, 4});
  const auto unchecked = tangent_kernel(function, inputs, {.check = KernelCheck::none});
  CHECK(unchecked.matrix.equal(tangent_kernel(function, inputs).matrix));
  CHECK(std::isnan(unchecked.error));
  const NetworkFunction noisy(*linear,
                              [&](const Tensor& x) { return linear->forward(x + torch::randn_like(x)); });
  for (const auto check : {KernelCheck::none, KernelCheck::in_turn})
    CHECK_THROWS_WITH(tangent_kernel(noisy, inputs, {.check = check}),
                      ContainsSubstring("draws random numbers"));
}

TEST_CASE("where LibTorch batches an operator wrongly, outputs go through backward one by one",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(5);
  torch::nn::Linear first(4, 6), second(6, 3);
  torch::nn::Sequential net(first, second);
  net->to(torch::kDouble);
  const NetworkFunction function(*net, [&](const Tensor& x) {
    return second->forward(DoubledInBatches::apply(torch::tanh(first->forward(x))));
  });
  const Tensor inputs = torch::randn({5, 4}, torch::kDouble);
  const Tensor jacobian = brute_force_jacobian(function, inputs);
  for (const auto route : {KernelRoute::automatic, KernelRoute::structured, KernelRoute::contraction}) {
    const auto kernel = tangent_kernel(function, inputs, {.route = route});
    CAPTURE(kernel.route);
    CHECK(relative_error(kernel.matrix, jacobian.mm(jacobian.t())) < 1e-12);
    CHECK_FALSE(kernel.route.starts_with("rows"));
    REQUIRE(kernel.notes.size() == 1);
    CHECK_THAT(kernel.notes[0], ContainsSubstring("one by one"));
  }
}

TEST_CASE("coupling is looked for again unless predictions are those of before, finite weights always",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(6);
  torch::nn::Linear linear(4, 2);
  int64_t examples = 0;
  const NetworkFunction function(*linear, [&](const Tensor& x) {
    examples += x.size(0);
    return linear->forward(x);
  });
  const Tensor inputs = torch::randn({5, 4});
  tangent_kernel(function, inputs);
  // Once for the kernel, each alone; for gradients once more together, and one alone.
  CHECK(std::exchange(examples, 0) == 16);
  tangent_kernel(function, inputs);
  CHECK(std::exchange(examples, 0) == 5);
  tangent_kernel(function.restricted({"bias"}), inputs);
  CHECK(std::exchange(examples, 0) == 5);
  linear->eval();
  tangent_kernel(function, inputs);
  CHECK(std::exchange(examples, 0) == 16);
  linear->weight.data().mul_(2);
  tangent_kernel(function, inputs);
  CHECK(std::exchange(examples, 0) == 11);  // in two halves, and one alone
  tangent_kernel(function, torch::cat({inputs, inputs}));
  CHECK(std::exchange(examples, 0) == 31);  // a larger batch
  linear->bias.data()[0] = INFINITY;
  CHECK_THROWS_WITH(tangent_kernel(function, inputs), ContainsSubstring("bias holds numbers"));
}

TEST_CASE("one example proves nothing about coupling", "[analysis][tangent_kernel]") {
  torch::manual_seed(7);
  torch::nn::Linear linear(4, 2);
  const NetworkFunction function(*linear, [&](const Tensor& x) { return linear->forward(x - x.mean(0)); });
  const Tensor inputs = torch::randn({5, 4});
  tangent_kernel(function, inputs.slice(0, 0, 1));
  CHECK_THROWS_WITH(tangent_kernel(function, inputs), ContainsSubstring("depends on the rest of the batch"));
}

namespace {

/// 1e5 (W x - W' x), where the rounding of the products is as large as their difference.
class SmallDifference {
 public:
  explicit SmallDifference(int64_t size) : linear_(size, 2), other_(linear_->weight.detach().clone()) {
    linear_->weight.data().mul_(1 + 3e-7);
  }
  torch::nn::Module& module() { return *linear_; }
  Tensor operator()(const Tensor& x) const {
    return 1e5 * (torch::matmul(x, linear_->weight.t()) - torch::matmul(x, other_.t()));
  }

 private:
  torch::nn::Linear linear_;
  Tensor other_;
};

}  // namespace

TEST_CASE("predictions that are small differences of large numbers are no coupling",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(8);
  // The estimate that stands in for float64 knows one rounding of each number, not how long sums are.
  const auto [size, in_double] =
      GENERATE(table<int64_t, bool>({{30, true}, {300, true}, {3000, true}, {100000, true}, {30, false}}));
  SmallDifference difference(size);
  NetworkFunction::Forward forward = difference;
  if (!in_double) {
    Tensor written = torch::zeros({1});  // in float32, where float64 cannot take its place
    forward = [=](const Tensor& x) mutable {
      written.zero_();
      return difference(x);
    };
  }
  const NetworkFunction function(difference.module(), forward);
  const Tensor inputs = torch::randn({7, size});
  const auto kernel = tangent_kernel(function.restricted({"weight"}), inputs);
  const Tensor expected = 1e10 * torch::kron(inputs.mm(inputs.t()), torch::eye(2));
  CHECK(relative_error(kernel.matrix, expected) < 1e-5);
}

TEST_CASE("coupling as small as the rounding of large numbers is told from it",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(8);
  SmallDifference difference(300);
  const Tensor inputs = torch::randn({7, 300});
  const double by_rounding =
      (difference(inputs) - difference(inputs.flip(0)).flip(0)).abs().max().item<double>() + 0.01;
  const NetworkFunction function(difference.module(), [=](const Tensor& x) {
    return difference(x) + by_rounding * (x.select(1, 0) - x.mean(0)[0]).unsqueeze(1);
  });
  CHECK_THROWS_WITH(tangent_kernel(function.restricted({"weight"}), inputs), ContainsSubstring("couples"));
}

TEST_CASE("half precision notices noise, too", "[analysis][tangent_kernel]") {
  torch::nn::Linear linear(4, 2);
  linear->to(torch::kBFloat16);
  const Tensor inputs = torch::randn({5, 4}).to(torch::kBFloat16);
  const NetworkFunction noisy(*linear,
                              [&](const Tensor& x) { return linear->forward(x + torch::randn_like(x)); });
  CHECK_THROWS_WITH(noisy.check(inputs), ContainsSubstring("draws random numbers"));
}

TEST_CASE("blocks whose last layer has unit cotangents meet others that have not",
          "[analysis][tangent_kernel]") {
  torch::manual_seed(9);
  torch::nn::Sequential net(torch::nn::Linear(4, 1), torch::nn::Tanh());
  net->to(torch::kDouble);
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({5, 4}, torch::kDouble), other = torch::randn({1, 4}, torch::kDouble);
  const Tensor left = brute_force_jacobian(function, inputs), right = brute_force_jacobian(function, other);
  CHECK(relative_error(tangent_kernel(function, inputs, other).matrix, left.mm(right.t())) < 1e-14);
  CHECK(relative_error(tangent_kernel(function, other, inputs).matrix, right.mm(left.t())) < 1e-14);
}

TEST_CASE("parameters without a part in the predictions have the kernel 0 by every route",
          "[analysis][tangent_kernel]") {
  torch::nn::Sequential net(torch::nn::Linear(4, 2), torch::nn::Linear(3, 3));
  const NetworkFunction function(
      *net, [&](const Tensor& x) { return net->ptr<torch::nn::LinearImpl>(0)->forward(x); });
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::structured, KernelRoute::contraction, KernelRoute::rows}) {
    const auto kernel = tangent_kernel(function.restricted({"1"}), torch::randn({5, 4}), {.route = route});
    CHECK(kernel.matrix.equal(torch::zeros({10, 10})));
  }
}
