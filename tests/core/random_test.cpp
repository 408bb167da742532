// Oracle: SplitMix64 and FNV-1a computed in exact integer arithmetic by an independent Python program.
#include "plumb/core/random.hpp"

#include "support/catch.hpp"
#include <ATen/ATen.h>

using plumb::Seed;

TEST_CASE("a stream's seed is the published mix of seed and purpose", "[core][random]") {
  CHECK(Seed(0).derive("data") == 10953458002718100848ULL);
  CHECK(Seed(7).derive("weights") == 7594052285772006092ULL);
}

TEST_CASE("streams differ by purpose and by seed, and repeat exactly", "[core][random]") {
  const auto draw = [](uint64_t seed, const char* purpose) {
    at::Generator generator = Seed(seed).stream(purpose);
    return at::randn({64}, generator, at::kDouble);
  };
  CHECK(draw(1, "labels").equal(draw(1, "labels")));
  CHECK_FALSE(draw(1, "labels").equal(draw(1, "pixels")));
  CHECK_FALSE(draw(1, "labels").equal(draw(2, "labels")));
}

TEST_CASE("drawing from one stream leaves the others and LibTorch's own generator alone", "[core][random]") {
  const at::Tensor before = at::globalContext().defaultGenerator(at::kCPU).get_state();
  at::Generator first = Seed(3).stream("a");
  at::Generator second = Seed(3).stream("b");
  at::randn({1000}, first);
  CHECK(at::randn({8}, second).equal([] {
    at::Generator fresh = Seed(3).stream("b");
    return at::randn({8}, fresh);
  }()));
  CHECK(at::globalContext().defaultGenerator(at::kCPU).get_state().equal(before));
}
