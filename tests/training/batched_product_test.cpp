// Oracle: LibTorch's own matrix products.
#include "plumb/training/batched_product.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"

using plumb::batched_product;
using plumb::batched_product_relu;
using plumb::batched_product_through_gates;

TEST_CASE("products of many small matrices are LibTorch's, for any shape and strides",
          "[training][ensemble]") {
  at::Generator generator = plumb::Seed(1).stream("matrices");
  for (const auto dtype : {at::kDouble, at::kFloat})
    for (const int64_t n : {1, 3, 4, 8, 21})
      for (const int64_t k : {0, 1, 5, 16, 35})
        for (const int64_t m : {1, 2, 4, 7, 8, 15, 16, 31, 40}) {
          const auto a = at::randn({5, n, k}, generator, dtype);
          const auto b = at::randn({5, k, m}, generator, dtype);
          const auto expected = at::bmm(a, b);
          const double tolerance = dtype == at::kDouble ? 1e-13 : 1e-5;
          INFO(n << " " << k << " " << m);
          CHECK(at::allclose(batched_product(a, b), expected, tolerance, tolerance));
          const auto turned = a.transpose(1, 2).contiguous().transpose(1, 2);
          const auto other = b.transpose(1, 2).contiguous().transpose(1, 2);
          CHECK(at::allclose(batched_product(turned, other), expected, tolerance, tolerance));
          CHECK(at::allclose(batched_product_relu(a, other), at::relu(expected), tolerance, tolerance));
          const auto gates = at::randn(expected.sizes(), generator, dtype).relu_();
          auto passed = gates.clone();
          batched_product_through_gates(turned, b, passed);
          CHECK(at::allclose(passed, expected * gates.gt(0), tolerance, tolerance));
        }
}

TEST_CASE("a product does not depend on what else is in the batch", "[training][ensemble]") {
  at::Generator generator = plumb::Seed(2).stream("matrices");
  const auto a = at::randn({300, 16, 9}, generator, at::kDouble);
  const auto b = at::randn({300, 9, 13}, generator, at::kDouble);
  const auto all = batched_product(a, b);
  for (const int64_t e : {0, 1, 150, 299})
    CHECK(batched_product(a.slice(0, e, e + 1), b.slice(0, e, e + 1))[0].equal(all[e]));
}

TEST_CASE("what is no number stays none behind a relu and passes its gates", "[training][ensemble]") {
  const auto a = at::full({1, 9, 1}, NAN, at::kDouble), b = at::ones({1, 1, 19}, at::kDouble);
  CHECK(batched_product_relu(a, b).isnan().all().item<bool>());
  auto gates = at::ones({1, 9, 19}, at::kDouble);
  batched_product_through_gates(a, b, gates);
  CHECK(gates.isnan().all().item<bool>());
}

TEST_CASE("matrices that do not fit are refused", "[training][ensemble]") {
  CHECK_THROWS_AS(batched_product(at::zeros({2, 3, 4}), at::zeros({2, 5, 3})), plumb::ContractError);
  CHECK_THROWS_AS(batched_product(at::zeros({2, 3, 4}), at::zeros({3, 4, 3})), plumb::ContractError);
  CHECK_THROWS_AS(batched_product(at::zeros({3, 4}), at::zeros({3, 4, 3})), plumb::ContractError);
  auto gates = at::zeros({2, 3, 3});
  CHECK_THROWS_AS(batched_product_through_gates(at::zeros({2, 3, 4}), at::zeros({2, 4, 5}), gates),
                  plumb::ContractError);
}
