// Oracle: exact traces, the estimators' definitions, and their stated standard errors over many repetitions.
#include "plumb/analysis/trace.hpp"

#include <cmath>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

TEST_CASE("a diagonal matrix has its exact trace from one vector of signs", "[analysis][trace]") {
  at::Generator generator = Seed(6).stream("trace");
  const DenseSymmetricOperator a(at::diag(at::arange(1, 31, at::TensorOptions(at::kDouble))));
  const TraceEstimate one = hutchinson_trace(a, 1, generator);
  CHECK(one.value == Approx(465).epsilon(1e-14));
  CHECK(std::isnan(one.standard_error));
  CHECK(hutchinson_trace(a, 5, generator).standard_error == Approx(0).margin(1e-12));
}

TEST_CASE("estimates scatter about the trace as their standard error says", "[analysis][trace]") {
  at::Generator generator = Seed(6).stream("scatter");
  const Tensor lambda = at::linspace(-1, 4, 60, torch::kDouble);
  const DenseSymmetricOperator a(with_eigenvalues(lambda));
  const double exact = lambda.sum().item<double>();
  const auto scatter = [&](const auto& estimate) {
    constexpr int repetitions = 400;
    double squares = 0;
    double stated = 0;
    double sum = 0;
    for (int i = 0; i < repetitions; ++i) {
      const TraceEstimate found = estimate();
      squares += std::pow(found.value - exact, 2) / repetitions;
      stated += std::pow(found.standard_error, 2) / repetitions;
      sum += found.value / repetitions;
    }
    // Means of 400: their own error is a twentieth of the scatter, that of the variances a fourteenth of
    // them.
    CHECK(std::abs(sum - exact) < 4 * std::sqrt(squares) / 20);
    CHECK(squares / stated == Approx(1).margin(0.35));
    return std::sqrt(squares);
  };
  const double plain = scatter([&] { return hutchinson_trace(a, 30, generator); });
  scatter([&] { return hutch_plus_plus_trace(a, 30, generator); });
  // 2 (||A||_F^2 - sum a_ii^2) / samples is the variance of Hutchinson's estimate.
  const Tensor matrix = dense_matrix(a);
  const double variance = 2 * (matrix.square().sum() - matrix.diagonal().square().sum()).item<double>() / 30;
  CHECK(plain == Approx(std::sqrt(variance)).epsilon(0.15));
}

TEST_CASE("Hutch++ is exact where a third of the products span the range, and far better on fast decay",
          "[analysis][trace]") {
  at::Generator generator = Seed(6).stream("decay");
  Tensor lambda = at::zeros({80}, torch::kDouble);
  lambda.narrow(0, 0, 6).fill_(7.0);
  const TraceEstimate low_rank =
      hutch_plus_plus_trace(DenseSymmetricOperator(with_eigenvalues(lambda)), 24, generator);
  CHECK(low_rank.value == Approx(42).epsilon(1e-12));
  CHECK(low_rank.products == 24);

  const Tensor decay = at::pow(at::arange(1, 81, at::TensorOptions(at::kDouble)), -2);
  const DenseSymmetricOperator a(with_eigenvalues(decay));
  const double exact = decay.sum().item<double>();
  double plain = 0;
  double sketched = 0;
  for (int i = 0; i < 50; ++i) {
    plain += std::pow(hutchinson_trace(a, 30, generator).value - exact, 2);
    sketched += std::pow(hutch_plus_plus_trace(a, 30, generator).value - exact, 2);
  }
  CHECK(sketched < plain / 25);
}

TEST_CASE("sizes as small as the sketch give the exact trace", "[analysis][trace]") {
  at::Generator generator = Seed(6).stream("small");
  const DenseSymmetricOperator a(with_eigenvalues(torch::tensor({3.0, -1.0}, torch::kDouble)));
  const TraceEstimate found = hutch_plus_plus_trace(a, 30, generator);
  CHECK(found.value == Approx(2).epsilon(1e-13));
  CHECK(found.standard_error == 0);
  CHECK(found.products == 4);
  CHECK_THROWS_AS(hutch_plus_plus_trace(a, 2, generator), ContractError);
  CHECK_THROWS_AS(hutchinson_trace(a, 0, generator), ContractError);
  const DenseSymmetricOperator bad(at::full({2, 2}, double{NAN}, torch::kDouble));
  CHECK_THROWS_AS(hutchinson_trace(bad, 3, generator), ContractError);
}
