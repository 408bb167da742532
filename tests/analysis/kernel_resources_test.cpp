// What a tangent kernel costs and depends on: memory against the kernel's own count of the process (VmHWM of
// Linux), threads, dtype. The oracle for sums in float64 is the same network converted to float64.
#include <fstream>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/tangent_kernel.hpp"

using namespace plumb;

namespace {

int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  return -1;
}

/// Gives freed memory back and starts the process' peak anew; false where the system does not allow it.
bool forget_peak() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  std::ofstream refs("/proc/self/clear_refs");
  refs << "5" << std::flush;
  return refs.good();
}

torch::nn::Sequential convolutional(int64_t channels) {
  torch::manual_seed(21);
  return torch::nn::Sequential(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(3, channels, 5).padding(2)), torch::nn::ReLU(),
      torch::nn::MaxPool2d(2), torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, channels, 3).padding(1)),
      torch::nn::ReLU(), torch::nn::MaxPool2d(2), torch::nn::Flatten(),
      torch::nn::Linear(channels * 7 * 7, 100), torch::nn::ReLU(), torch::nn::Linear(100, 10));
}

double relative_difference(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace

TEST_CASE("the peak of memory stays within the budget", "[analysis][kernel_resources]") {
#ifdef __SANITIZE_ADDRESS__
  WARN("the address sanitizer keeps what is freed");
  return;
#endif
  auto net = convolutional(32);
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({120, 3, 28, 28});
  tangent_kernel(function, inputs.slice(0, 0, 2));  // what LibTorch sets up once
  for (const KernelRoute route : {KernelRoute::structured, KernelRoute::contraction})
    for (const int64_t budget : {int64_t{96} << 20, int64_t{256} << 20, int64_t{1} << 30}) {
      if (!forget_peak() || status_bytes("VmHWM:") < 0) {
        WARN("this system does not tell the peak of memory");
        return;
      }
      const int64_t before = status_bytes("VmRSS:");
      const auto kernel = tangent_kernel(function, inputs, {.route = route, .memory = budget});
      const int64_t held = status_bytes("VmHWM:") - before;
      CAPTURE(static_cast<int>(route), budget >> 20, held >> 20, kernel.blocks);

      CHECK(held <= budget);
      CHECK(held >= kernel.matrix.numel() * 4);  // otherwise the peak was not measured
    }
}

TEST_CASE("the kernel does not depend on the number of threads", "[analysis][kernel_resources]") {
  auto net = convolutional(8);
  net->to(torch::kDouble);
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({9, 3, 28, 28}, torch::kDouble);
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const auto one = tangent_kernel(function, inputs);
  torch::set_num_threads(4);
  const auto four = tangent_kernel(function, inputs);
  torch::set_num_threads(threads);
  CHECK(relative_difference(four.matrix, one.matrix) < 1e-14);
}

TEST_CASE("sums in float64 over a float32 network come nearer to the float64 network's kernel",
          "[analysis][kernel_resources]") {
  torch::manual_seed(22);
  torch::nn::Sequential net(torch::nn::Linear(50, 2000), torch::nn::ReLU(), torch::nn::Linear(2000, 2000),
                            torch::nn::ReLU(), torch::nn::Linear(2000, 3));
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({20, 50});
  const auto single = tangent_kernel(function, inputs);
  const auto summed = tangent_kernel(function, inputs, {.accumulate_double = true});
  REQUIRE(single.matrix.scalar_type() == torch::kFloat);
  REQUIRE(summed.matrix.scalar_type() == torch::kDouble);
  net->to(torch::kDouble);
  const auto expected = tangent_kernel(function, inputs.to(torch::kDouble));
  const double plain = relative_difference(single.matrix.to(torch::kDouble), expected.matrix);
  const double better = relative_difference(summed.matrix, expected.matrix);
  CAPTURE(plain, better);
  CHECK(plain < 1e-5);
  CHECK(better < plain);
  // What sums in float64 cannot mend are the activations and cotangents themselves, of float32.
  CHECK(better < 5e-7);
}

// Hidden: for scripts/check-leaks, which runs it under valgrind.
TEST_CASE("recorded graphs are freed", "[.leaks]") {
  torch::manual_seed(23);
  torch::nn::Sequential net(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 2, 3)), torch::nn::ReLU(),
                            torch::nn::Flatten(), torch::nn::Linear(2 * 4 * 4, 5), torch::nn::Tanh(),
                            torch::nn::Linear(5, 3));
  const NetworkFunction function(*net, [&](const Tensor& x) { return net->forward(x); });
  const Tensor inputs = torch::randn({4, 1, 6, 6});
  for (int repetition = 0; repetition < 2; ++repetition) {
    for (const auto route : {KernelRoute::structured, KernelRoute::contraction, KernelRoute::rows})
      tangent_kernel(function, inputs, {.route = route});
    tangent_kernel(function, inputs, {.memory = 17 << 20});
    CHECK_THROWS(tangent_kernel(function, inputs.to(torch::kDouble)));
    CHECK_THROWS(tangent_kernel(function, inputs, {.memory = 1}));
    Jacobian(function, inputs).apply(torch::randn({function.parameter_count()}));
  }
}
