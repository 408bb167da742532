// Oracle: the same formulas on tensors that are float64 from the start.
#include "plumb/core/double_arithmetic.hpp"

#include <functional>
#include <thread>

#include "support/catch.hpp"
#include <torch/torch.h>

using plumb::DoubleArithmetic;
using torch::Tensor;

namespace {

using Formula = std::function<Tensor(const Tensor& x, const Tensor& w)>;

/// Checks that `formula`, of float32 numbers within the scope, is what it is of the same numbers in float64.
void check_wide(const Formula& formula) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  const Tensor x = torch::randn({5, 6}), w = torch::randn({6, 6});
  const Tensor expected = formula(x.to(torch::kDouble), w.to(torch::kDouble));
  const DoubleArithmetic scope;
  const Tensor found = formula(x.clone(), w);
  CHECK(scope.complete());
  CHECK(found.scalar_type() == torch::kDouble);
  CHECK(found.equal(expected));
}

}  // namespace

TEST_CASE("within the scope operators compute in float64 whatever they are given",
          "[core][double_arithmetic]") {
  SECTION("products, sums, activations") {
    check_wide([](const Tensor& x, const Tensor& w) { return torch::softmax(x.matmul(w).tanh() + 1.5, 1); });
  }
  SECTION("a layer") {
    check_wide([](const Tensor& x, const Tensor& w) { return torch::linear(x, w, w.select(0, 1)); });
  }
  SECTION("a convolution") {
    check_wide([](const Tensor& x, const Tensor& w) {
      return torch::conv1d(x.unsqueeze(1), w.slice(0, 0, 3).slice(1, 0, 2).unsqueeze(1));
    });
  }
  SECTION("views and lists") {
    check_wide([](const Tensor& x, const Tensor& w) {
      return torch::cat({x.transpose(0, 1).reshape({10, 3}), w.view({-1, 3}).slice(0, 0, 2)}).cumsum(0);
    });
  }
  SECTION("mixed with what is float64 already") {
    check_wide([](const Tensor& x, const Tensor& w) { return x.to(torch::kDouble).matmul(w); });
  }
  SECTION("dtypes that are asked for") {
    check_wide([](const Tensor& x, const Tensor& w) {
      const Tensor wide = torch::zeros({5, 6}, x.scalar_type()) + x;
      return wide.to(w.scalar_type())
          .type_as(w)
          .sum(0, false, w.scalar_type())
          .log_softmax(0, w.scalar_type());
    });
  }
  SECTION("writing into new tensors") {
    check_wide([](const Tensor& x, const Tensor& w) {
      Tensor y = torch::empty({5, 6}, x.options());
      y.copy_(x);
      y.mul_(w.slice(0, 0, 5)).select(1, 2).add_(0.1);
      return y;
    });
  }
  SECTION("complex numbers between") {
    check_wide([](const Tensor& x, const Tensor& w) {
      return torch::real(torch::fft_ifft(torch::fft_fft(x) * torch::fft_fft(w.slice(0, 0, 5))));
    });
  }
  SECTION("indices and masks") {
    check_wide([](const Tensor& x, const Tensor& w) {
      return torch::where(x > 0, x, w.index({torch::arange(5)})).masked_fill(x.gt(1), 0.3) / 7;
    });
  }
  SECTION("batch normalization") {
    check_wide([](const Tensor& x, const Tensor& w) {
      return torch::batch_norm(x, w.select(0, 0), {}, w.select(0, 1), w.select(0, 2).abs(), false, 0.1, 1e-5,
                               false);
    });
  }
}

TEST_CASE("a tensor of fewer bits that is written to is said", "[core][double_arithmetic]") {
  const torch::NoGradGuard no_grad;
  Tensor held = torch::ones({3});
  {
    const DoubleArithmetic scope;
    held.select(0, 1) += 0.1;
    CHECK_FALSE(scope.complete());
    {
      const DoubleArithmetic inner;
      CHECK(inner.complete());
      CHECK((held + 0.1).scalar_type() == torch::kDouble);
    }
    CHECK_FALSE(scope.complete());
  }
  CHECK(held.scalar_type() == torch::kFloat);
  CHECK(held[1].item<double>() == 1.1F);
}

TEST_CASE("bits that are read as another type are said", "[core][double_arithmetic]") {
  const torch::NoGradGuard no_grad;
  const DoubleArithmetic scope;
  const Tensor bits = (torch::ones({2}) + 1).view(torch::kLong);
  CHECK(bits.scalar_type() == torch::kLong);
  CHECK_FALSE(scope.complete());
}

TEST_CASE("float64 ends with its scope and stays in its thread", "[core][double_arithmetic]") {
  const Tensor x = torch::ones({3});
  {
    const DoubleArithmetic scope;
    CHECK((x + x).scalar_type() == torch::kDouble);
    std::thread([&] { CHECK((x + x).scalar_type() == torch::kFloat); }).join();
    CHECK_THROWS((x + x).data_ptr<float>());
  }
  CHECK((x + x).scalar_type() == torch::kFloat);
}
