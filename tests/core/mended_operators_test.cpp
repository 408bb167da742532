// Oracle: the derivative of x Phi(x), which is Phi(x) + x phi(x), in float64; batch normalization written out
// in elementary operations.
#include "plumb/core/mended_operators.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

using torch::Tensor;

namespace {

/// The derivative of GELU at x.
Tensor derivative(const Tensor& x) {
  const Tensor wide = x.detach().to(torch::kDouble);
  const Tensor phi = torch::exp(-wide * wide / 2) / std::sqrt(2 * M_PI);
  return (1 + torch::erf(wide / std::sqrt(2.0))) / 2 + wide * phi;
}

/// Leaves numbers that are easily seen in memory that the next tensors of this size get.
void soil_memory(const Tensor& like) {
  std::vector<Tensor> blocks(8);
  for (Tensor& block : blocks) block = torch::full(like.sizes(), 1e30F);
}

}  // namespace

TEST_CASE("the gradient of GELU is written however its own gradient lies in memory",
          "[core][mended_operators]") {
  plumb::mend_operators();
  plumb::mend_operators();
  torch::manual_seed(1);
  const Tensor x = torch::randn({5, 2, 3}).requires_grad_();
  const std::vector<Tensor> gradients{torch::randn({5, 2, 3}), torch::randn({2, 5, 3}).transpose(0, 1),
                                      torch::randn({5, 3, 2}).transpose(1, 2),
                                      torch::randn({5, 7, 3}).slice(1, 2, 4),
                                      torch::randn({1, 1, 3}).expand({5, 2, 3})};
  for (const Tensor& u : gradients) {
    const Tensor y = torch::gelu(x);
    soil_memory(x);
    const Tensor found = torch::autograd::grad({y}, {x}, {u})[0];
    CHECK(found.sizes() == x.sizes());
    CHECK(torch::allclose(found.to(torch::kDouble), u.to(torch::kDouble) * derivative(x), 1e-5, 1e-6));
  }
  const Tensor turned = torch::randn({3, 4}).t().requires_grad_();
  const Tensor u = torch::randn({4, 3});
  const Tensor found = torch::autograd::grad({torch::gelu(turned)}, {turned}, {u})[0];
  CHECK(torch::allclose(found.to(torch::kDouble), u.to(torch::kDouble) * derivative(turned), 1e-5, 1e-6));
  // And the second derivative, phi(x) (2 - x^2), is still there.
  const Tensor z = torch::randn({6}, torch::kDouble).requires_grad_();
  const Tensor first = torch::autograd::grad({torch::gelu(z).sum()}, {z}, {}, true, true)[0];
  const Tensor second = torch::autograd::grad({first.sum()}, {z})[0], w = z.detach();
  CHECK(torch::allclose(second, torch::exp(-w * w / 2) / std::sqrt(2 * M_PI) * (2 - w * w), 1e-10, 1e-12));
}

TEST_CASE("the gradient of batch normalization is right for weights that are slices",
          "[core][mended_operators]") {
  plumb::mend_operators();
  torch::manual_seed(2);
  const auto every_second = [](const Tensor& values) {
    return torch::stack({values, values * 0 + 100}, 1).select(1, 0);
  };
  const bool training = GENERATE(false, true);
  const auto shape = GENERATE(std::vector<int64_t>{7, 4}, std::vector<int64_t>{3, 4, 5});
  const Tensor x = torch::randn(shape, torch::kDouble).requires_grad_();
  const Tensor weight = every_second(torch::randn({4}, torch::kDouble)).requires_grad_();
  const Tensor bias = torch::randn({4}, torch::kDouble).requires_grad_();
  const Tensor mean = every_second(torch::randn({4}, torch::kDouble)),
               variance = every_second(torch::rand({4}, torch::kDouble) + 0.5);
  REQUIRE_FALSE(weight.is_contiguous());
  const Tensor u = torch::randn(shape, torch::kDouble);
  const auto found = torch::autograd::grad(
      {torch::batch_norm(x, weight, bias, mean.clone(), every_second(variance), training, 0.1, 1e-5, false)},
      {x, weight, bias}, {u});
  const std::vector<int64_t> over = x.dim() == 2 ? std::vector<int64_t>{0} : std::vector<int64_t>{0, 2};
  const auto column = [&](const Tensor& values) { return x.dim() == 2 ? values : values.view({1, 4, 1}); };
  const Tensor m = training ? x.mean(over) : mean, v = training ? x.var(over, false) : variance;
  const Tensor written = (x - column(m)) / (column(v) + 1e-5).sqrt() * column(weight) + column(bias);
  const auto expected = torch::autograd::grad({written}, {x, weight, bias}, {u});
  for (size_t i = 0; i < 3; ++i) CHECK(torch::allclose(found[i], expected[i], 1e-9, 1e-11));
}
