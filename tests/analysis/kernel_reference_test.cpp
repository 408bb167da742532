// Oracle: Python's torch, whose kernels of this network were written to tests/fixtures/kernel.pt by
// tests/analysis/reference/kernel.py, which has the same network.
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/core/archive.hpp"

using namespace plumb;

namespace {

/// The generator's `numbers`.
Tensor reference_numbers(std::vector<int64_t> sizes, double start) {
  const int64_t count = c10::multiply_integers(sizes);
  return ((0.7 * torch::arange(count, torch::kDouble) + start).sin() + 0.1 * start).view(sizes);
}

struct ReferenceNetwork : torch::nn::Module {
  ReferenceNetwork() {
    add({4, 2, 3, 3}, 1, 1);
    add({4}, 2, 1);
    add({4}, 3, 1);
    add({4}, 4, 1);
    add({4, 2, 3, 3}, 5, 0.5);
    add({36}, 6, 1);
    add({36}, 7, 1);
    add({5, 36}, 8, 0.3);
    add({5}, 9, 1);
    add({3, 5}, 10, 0.4);
  }
  void add(std::vector<int64_t> sizes, double start, double factor) {
    w.push_back(register_parameter("w" + std::to_string(w.size()),
                                   factor * reference_numbers(std::move(sizes), start)));
  }
  Tensor forward(const Tensor& x) const {
    Tensor hidden = torch::conv2d(x, w[0], w[1], 2, 1);
    hidden = torch::batch_norm(hidden, w[2], w[3], reference_numbers({4}, 0.5),
                               reference_numbers({4}, 0.2).square() + 0.5, false, 0.1, 1e-5, false);
    hidden = hidden + torch::conv2d(hidden.tanh(), w[4], {}, 1, 1, 1, 2);
    hidden = torch::layer_norm(torch::gelu(hidden).flatten(1), {36}, w[5], w[6]);
    return torch::linear(torch::softplus(torch::linear(hidden, w[7], w[8])), w[9]);
  }
  std::vector<Tensor> w;
};

}  // namespace

TEST_CASE("tangent kernels are those that Python's torch finds", "[analysis][tangent_kernel]") {
  const Archive expected = Archive::load(std::string(PLUMB_FIXTURES) + "/kernel.pt");
  const auto network = std::make_shared<ReferenceNetwork>();
  const NetworkFunction function(*network, [&](const Tensor& x) { return network->forward(x); });
  const Tensor train = reference_numbers({4, 2, 5, 5}, 0.3), test = reference_numbers({3, 2, 5, 5}, 1.3);
  const auto error = [](const Tensor& found, const Tensor& wanted) {
    return (found - wanted).norm().item<double>() / wanted.norm().item<double>();
  };
  for (const auto route : {KernelRoute::structured, KernelRoute::contraction, KernelRoute::rows}) {
    const auto kernel = tangent_kernel(function, train, {.route = route});
    CAPTURE(kernel.route);
    CHECK(kernel.notes.empty());
    CHECK(error(kernel.matrix, expected.tensor("train")) < 1e-10);
    CHECK(error(tangent_kernel(function, train, test, {.route = route}).matrix, expected.tensor("cross")) <
          1e-10);
  }
}
