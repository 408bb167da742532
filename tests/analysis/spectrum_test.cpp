// Oracle: the definitions, worked out by hand.
#include "plumb/analysis/spectrum.hpp"

#include <cmath>

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"

using namespace plumb;

TEST_CASE("the sums of a spectrum are those of its definition", "[analysis][spectrum]") {
  const Spectrum s = Spectrum::of_singular_values(torch::tensor({1.0, 4.0, 2.0, 1.0}, torch::kDouble));
  CHECK(s.largest() == 4);
  CHECK(s.smallest() == 1);
  CHECK(s.condition_number() == 4);
  CHECK(s.stable_rank() == Approx(22.0 / 16));
  // Shares 1/2, 1/4, 1/8, 1/8: 1.75 bits.
  CHECK(s.effective_rank() == Approx(std::exp2(1.75)).epsilon(1e-14));
  CHECK(s.count_above(1) == 2);
}

TEST_CASE("equal singular values give their number for every rank", "[analysis][spectrum]") {
  for (const double value : {1e-200, 1.0, 1e200}) {
    const Spectrum s = Spectrum::of_singular_values(at::full({7}, value, torch::kDouble));
    CHECK(s.stable_rank() == Approx(7));
    CHECK(s.effective_rank() == Approx(7));
    CHECK(s.condition_number() == 1);
  }
}

TEST_CASE("eigenvalues of a Gram matrix become roots, and those below zero become 0",
          "[analysis][spectrum]") {
  const Spectrum s = Spectrum::of_gram_eigenvalues(torch::tensor({-1e-17, 4.0, 9.0}, torch::kDouble));
  CHECK(at::equal(s.values, torch::tensor({3.0, 2.0, 0.0}, torch::kDouble)));
  CHECK(std::isinf(s.condition_number()));
  CHECK(s.effective_rank() == Approx(std::exp(-0.6 * std::log(0.6) - 0.4 * std::log(0.4))));
}

TEST_CASE("a zero matrix has rank 0 and no spectrum has no values", "[analysis][spectrum]") {
  const Spectrum zero = Spectrum::of_singular_values(at::zeros({3}, torch::kDouble));
  CHECK(zero.stable_rank() == 0);
  CHECK(zero.effective_rank() == 0);
  const Spectrum none = Spectrum::of_singular_values(at::empty({0}, torch::kDouble));
  CHECK(std::isnan(none.largest()));
  CHECK(none.stable_rank() == 0);
}

TEST_CASE("what is no singular value is refused", "[analysis][spectrum]") {
  CHECK_THROWS_AS(Spectrum::of_singular_values(torch::tensor({1.0, -1.0}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(Spectrum::of_singular_values(torch::tensor({1.0, double{NAN}}, torch::kDouble)),
                  ContractError);
  CHECK_THROWS_AS(Spectrum::of_gram_eigenvalues(at::eye(2, torch::kDouble)), ContractError);
}
