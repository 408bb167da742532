// Oracle: networks of which it is known what their modes change.
#include "plumb/training/snapshot.hpp"

#include "support/catch.hpp"
#include "support/problems.hpp"

using namespace plumb;

namespace {

struct Layered final : Network {
  explicit Layered(const torch::nn::AnyModule& between) : between_(between) {
    register_module("first", first_);
    register_module("between", between_.ptr());
  }
  Tensor forward(Tensor x) override { return between_.forward(first_(x)); }

 private:
  torch::nn::Linear first_{3, 4};
  torch::nn::AnyModule between_;
};

}  // namespace

TEST_CASE("batch normalization and dropout compute something else in training, and are left as they were",
          "[training][snapshot]") {
  const Tensor inputs = torch::randn({8, 3});
  Layered plain{torch::nn::AnyModule(torch::nn::Linear(4, 2))};
  CHECK(same_in_training(plain, inputs));
  Layered norm{torch::nn::AnyModule(torch::nn::BatchNorm1d(4))};
  norm.train();
  std::vector<Tensor> before;
  for (const Tensor& buffer : norm.buffers()) before.push_back(buffer.clone());
  CHECK_FALSE(same_in_training(norm, inputs));
  for (size_t i = 0; i < before.size(); ++i) CHECK(norm.buffers()[i].equal(before[i]));
  CHECK(norm.is_training());
  // One example has no statistics; nor is that a reason to fail.
  CHECK_FALSE(same_in_training(norm, inputs.slice(0, 0, 1)));
  Layered dropout{torch::nn::AnyModule(torch::nn::Dropout(0.5))};
  dropout.eval();
  torch::manual_seed(1);
  const Tensor next = torch::rand({3});
  torch::manual_seed(1);
  CHECK_FALSE(same_in_training(dropout, inputs));
  CHECK(torch::rand({3}).equal(next));
  CHECK_FALSE(dropout.is_training());
}
