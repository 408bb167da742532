// What guards a tangent kernel: the identity itself against an explicit J, and kernels that turn wrong after
// a right one. Oracle: J by one backward pass per row.
#include "plumb/analysis/kernel_check.hpp"

#include <cmath>
#include <set>

#include "analysis/kernels.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/random_weights.hpp"
#include "plumb/analysis/tangent_kernel.hpp"

using namespace plumb;
using test::brute_force_jacobian;
using test::DoubledInBatches;
using test::relative_error;

namespace {

struct Perceptron {
  explicit Perceptron(int64_t outputs) : first(4, 6), second(6, outputs) {
    DoubledInBatches::wrong = false;
    net->push_back(first);
    net->push_back(second);
    net->to(torch::kDouble);
  }
  NetworkFunction function() {
    return {*net, [this](const Tensor& x) {
              return second->forward(DoubledInBatches::apply(torch::tanh(first->forward(x))));
            }};
  }
  ~Perceptron() { DoubledInBatches::wrong = true; }

  torch::nn::Linear first, second;
  torch::nn::Sequential net;
};

}  // namespace

TEST_CASE("kernels of more than a thousand rows are J J'", "[analysis][kernel_check]") {
  torch::manual_seed(11);
  Perceptron perceptron(3);
  const NetworkFunction function = perceptron.function();
  const Tensor inputs = torch::randn({410, 4}, torch::kDouble);
  const Tensor jacobian = brute_force_jacobian(function, inputs);
  const Tensor expected = jacobian.mm(jacobian.t());
  for (const auto route : {KernelRoute::structured, KernelRoute::contraction, KernelRoute::rows}) {
    CAPTURE(static_cast<int>(route));
    CHECK(relative_error(tangent_kernel(function, inputs, {.route = route}).matrix, expected) < 1e-13);
    // 11.5 MiB of kernel and 4 more: several blocks.
    const auto tiled = tangent_kernel(function, inputs, {.route = route, .memory = 28 << 20});
    CHECK(relative_error(tiled.matrix, expected) < 1e-13);
  }
  const Tensor many = torch::randn({1100, 4}, torch::kDouble);
  const Tensor all = brute_force_jacobian(function, many).view({1100, 3, -1});
  const Tensor traces = torch::einsum("ikp,jkp->ij", {all, all});
  for (const auto route : {KernelRoute::structured, KernelRoute::contraction})
    CHECK(relative_error(
              tangent_kernel(function, many, {.route = route, .outputs = KernelOutputs::summed}).matrix,
              traces) < 1e-13);
}

TEST_CASE("after the first kernel the parameters are checked in turn", "[analysis][kernel_check]") {
  torch::manual_seed(12);
  Perceptron perceptron(3);
  const Tensor inputs = torch::randn({9, 4}, torch::kDouble), others = torch::randn({5, 4}, torch::kDouble);
  const auto follow = [&](const std::function<TangentKernel(const NetworkFunction&)>& kernel) {
    const NetworkFunction function = perceptron.function();
    const TangentKernel first = kernel(function);
    CHECK(first.checked == "all parameters");
    std::set<std::string> checked;
    for (int repetition = 0; repetition < 4; ++repetition) {
      const TangentKernel again = kernel(function);
      CHECK(again.error < 1e-12);
      CHECK(again.matrix.equal(first.matrix));
      checked.insert(again.checked);
    }
    return checked;
  };
  const std::set<std::string> pairs{"0.weight, 0.bias", "1.weight, 1.bias"};
  const std::set<std::string> single{"0.weight", "0.bias", "1.weight", "1.bias"};
  CHECK(follow([&](const auto& function) { return tangent_kernel(function, inputs); }) == pairs);
  CHECK(follow([&](const auto& function) { return tangent_kernel(function, inputs, others); }) == pairs);
  CHECK(follow([&](const auto& function) {
          return tangent_kernel(function, inputs, {.outputs = KernelOutputs::summed});
        }) == pairs);
  CHECK(follow([&](const auto& function) {
          return tangent_kernel(function, inputs, {.route = KernelRoute::rows});
        }) == single);
  CHECK(follow([&](const auto& function) { return tangent_kernel_by_parameter(function, inputs).whole; }) ==
        single);
  // A complete check costs little beside a larger kernel.
  const Tensor many = torch::randn({180, 4}, torch::kDouble);
  CHECK(follow([&](const auto& function) { return tangent_kernel(function, many); }) ==
        std::set<std::string>{"all parameters"});
}

TEST_CASE("a kernel that turns wrong where LibTorch batches is noticed at once", "[analysis][kernel_check]") {
  torch::manual_seed(13);
  Perceptron perceptron(3);
  const NetworkFunction function = perceptron.function();
  const Tensor inputs = torch::randn({9, 4}, torch::kDouble);
  const Tensor right = tangent_kernel(function, inputs).matrix;
  CHECK(tangent_kernel(function, inputs).notes.empty());
  DoubledInBatches::wrong = true;
  CHECK_FALSE(tangent_kernel(function, inputs, {.check = KernelCheck::none}).matrix.allclose(right));
  const auto complete = tangent_kernel(function, inputs, {.check = KernelCheck::complete});
  CHECK(complete.notes.size() == 1);
  CHECK(complete.matrix.allclose(right));
  // The cotangents of the check go through LibTorch's batching together with the others here: only gradients
  // that do not can tell, when it is their turn.
  size_t noticed = 0;
  for (int kernels = 0; kernels < 4; ++kernels) noticed += tangent_kernel(function, inputs).notes.size();
  CHECK(noticed == 3);
}

TEST_CASE("the identity tells a kernel from one that is a hundredth off", "[analysis][kernel_check]") {
  torch::manual_seed(14);
  Perceptron perceptron(3);
  const NetworkFunction function = perceptron.function();
  const Tensor inputs = torch::randn({5, 4}, torch::kDouble), others = torch::randn({4, 4}, torch::kDouble);
  const Tensor left = brute_force_jacobian(function, inputs), right = brute_force_jacobian(function, others);
  const Tensor square = left.mm(left.t()), cross = left.mm(right.t());
  CheckDraws draws;
  // Two vectors can be nearly orthogonal with respect to a kernel by chance: a draw alone tells little.
  double of_square = 0, of_cross = 0;
  for (int draw = 0; draw < 20; ++draw) {
    const Tensor u = draws.weights(15), v = draws.weights(12);
    const std::vector<Tensor> pulled{left.t().mv(u)}, theirs{right.t().mv(v)};
    CHECK(kernel_identity(square, u, u, pulled, pulled).error() < 1e-14);
    CHECK(kernel_identity(cross, u, v, pulled, theirs).error() < 1e-14);
    of_square = std::max(of_square, kernel_identity(1.01 * square, u, u, pulled, pulled).error());
    of_cross = std::max(of_cross, kernel_identity(1.01 * cross, u, v, pulled, theirs).error());
  }
  CHECK(of_square > 1e-3);
  CHECK(of_cross > 1e-3);
  const Tensor traces = torch::einsum("ikp,jkp->ij", {left.view({5, 3, -1}), right.view({4, 3, -1})});
  CHECK(summed_kernel_identity(function, traces, inputs, others, 3).error() < 1e-14);
  CHECK(summed_kernel_identity(function, 1.01 * traces, inputs, others, 3).error() > 1e-4);
}

TEST_CASE("weights of a check are new in every call, of either sign and of no two equal magnitudes",
          "[analysis][kernel_check]") {
  CheckDraws first, second;
  const Tensor u = first.weights(1000), v = second.weights(1000);
  CHECK_FALSE(u.equal(v));
  const Tensor magnitudes = std::get<0>(u.abs().sort());
  CHECK(magnitudes[0].item<double>() > 0.5);
  CHECK(magnitudes[999].item<double>() < 1.5);
  CHECK(magnitudes.diff().min().item<double>() > 4e-4);
  CHECK(std::abs(u.sign().mean().item<double>()) < 0.2);
}

TEST_CASE("a gradient a thousandth off is told from a right one, however many rows it is summed over",
          "[analysis][kernel_check]") {
  torch::manual_seed(16);
  constexpr int64_t rows = 4000, a = 30, b = 20;
  KernelTerm term;
  term.form = TermForm::product;
  term.outputs = 1;
  term.cotangents = torch::randn({rows, 1, b});
  CheckDraws draws;
  const Tensor u = draws.weights(rows).view({rows, 1});
  const Tensor d = (term.cotangents.squeeze(1).to(torch::kDouble) * u).t();
  autograd::ParameterUse use;
  const double allowed = allowed_capture_error(torch::kFloat);
  const auto tell = [&](const Tensor& gradient) {
    term.inputs = TermInputs(use, rows, 0, 0, torch::kFloat);
    CHECK(gradient_error(term, u, gradient.to(torch::kFloat), {}, allowed, draws) < 1e-5);
    const Tensor wrong = gradient + 1e-3 * gradient.norm() / std::sqrt(a * b) * torch::randn({b, a});
    CHECK(gradient_error(term, u, wrong.to(torch::kFloat), {}, allowed, draws) > allowed);
  };
  use.kind = autograd::UseKind::product;
  use.shape = {a, b};
  use.output = {rows, b};
  use.saved = torch::randn({rows, a});
  tell(d.mm(use.saved.to(torch::kDouble)));
  use.kind = autograd::UseKind::lookup;
  use.saved = torch::randint(a, {rows}, torch::kLong);
  tell(d.mm(torch::one_hot(use.saved, a).to(torch::kDouble)));
}

TEST_CASE("signs that cancel in a kernel of rank one raise no alarm", "[analysis][kernel_check]") {
  torch::nn::Linear linear(torch::nn::LinearOptions(1, 1).bias(false));
  const NetworkFunction function(*linear, [&](const Tensor& x) { return linear->forward(x); });
  torch::manual_seed(15);
  const Tensor inputs = 0.5 + torch::rand({400, 1});
  for (int repetition = 0; repetition < 300; ++repetition) {
    const auto kernel = tangent_kernel(function, inputs);
    CHECK(kernel.notes.empty());
    CHECK(kernel.error < 1e-5);
  }
}
