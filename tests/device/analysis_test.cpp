// Oracle: the same on the CPU, whose results the other rooms' tests hold against closed forms and
// differences.
#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/networks.hpp"
#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/tangent_kernel.hpp"

using namespace plumb;

namespace {

double distance(const Tensor& on_device, const Tensor& on_cpu) {
  return (on_device.cpu() - on_cpu).norm().item<double>() / on_cpu.norm().item<double>();
}

/// A network with a convolution and a perceptron, and ten inputs; `on` is where both are.
struct Subject {
  explicit Subject(const at::Device& on) : device(on) {
    torch::manual_seed(3);
    inputs = torch::randn({10, 2, 8, 8}, torch::kDouble).to(device);
    net = torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 4, 3).padding(1)),
                                torch::nn::Tanh(), torch::nn::MaxPool2d(2), torch::nn::Flatten(),
                                torch::nn::Linear(4 * 4 * 4, 12), torch::nn::Softplus(),
                                torch::nn::Linear(12, 3));
    net->to(device, torch::kDouble);
  }
  NetworkFunction function() {
    return {*net, [net = net](const Tensor& x) mutable { return net->forward(x); }};
  }

  at::Device device;
  Tensor inputs;
  torch::nn::Sequential net{nullptr};
};

}  // namespace

TEST_CASE("tangent kernels are the same on every device, by every route", "[device][analysis]") {
  Subject here(torch::kCPU), there(test::test_device());
  const Tensor expected = tangent_kernel(here.function(), here.inputs).matrix;
  for (const auto route :
       {KernelRoute::automatic, KernelRoute::rows, KernelRoute::contraction, KernelRoute::structured}) {
    const TangentKernel kernel = tangent_kernel(there.function(), there.inputs, {.route = route});
    CAPTURE(kernel.route);
    CHECK(kernel.matrix.device().type() == test::test_device().type());
    CHECK(distance(kernel.matrix, expected) < 1e-10);
    CHECK(kernel.error < 1e-10);
  }
}

TEST_CASE("kernels of every kind of layer are the same on every device", "[device][analysis]") {
  auto here = test::layer_cases();
  auto there = test::layer_cases();
  for (size_t i = 0; i < here.size(); ++i) {
    INFO(here[i].name);
    there[i].module->to(test::test_device());
    const Tensor expected =
        tangent_kernel(NetworkFunction(*here[i].module, here[i].forward), here[i].inputs).matrix;
    const NetworkFunction function(*there[i].module, there[i].forward);
    CHECK(distance(tangent_kernel(function, there[i].inputs.to(test::test_device())).matrix, expected) <
          1e-9);
  }
}

TEST_CASE("Jacobians multiply alike on every device", "[device][analysis]") {
  Subject here(torch::kCPU), there(test::test_device());
  const NetworkFunction function_here = here.function(), function_there = there.function();
  const Jacobian expected(function_here, here.inputs), found(function_there, there.inputs);
  const Tensor v = torch::randn({expected.columns(), 2}, torch::kDouble);
  const Tensor u = torch::randn({expected.rows(), 2}, torch::kDouble);
  CHECK(distance(found.dense(), expected.dense()) < 1e-10);
  CHECK(distance(found.apply(v.to(there.device)), expected.apply(v)) < 1e-10);
  CHECK(distance(found.apply_transposed(u.to(there.device)), expected.apply_transposed(u)) < 1e-10);
}
