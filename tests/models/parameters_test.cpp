// Oracle: the tensors themselves, and the same network with every parameter registered once.
#include "plumb/models/parameters.hpp"

#include "models/shared_layers.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"
#include "plumb/models/describe.hpp"
#include "plumb/models/initialization.hpp"

using namespace plumb;

namespace {

/// A module that does nothing but hold parameters.
struct Holder final : torch::nn::Module {
  Tensor add(const std::string& name, const Tensor& tensor, bool train = true) {
    return register_parameter(name, tensor, train);
  }
};

std::vector<std::string> names_of(const std::vector<NamedParameter>& parameters) {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a layer or tensor registered under several names is one parameter", "[models][parameters]") {
  const test::SharedLayers network({.names = {"first", "again"}});
  CHECK(names_of(named_trainable_parameters(network)) == Names{"first.weight", "first.bias"});
  CHECK(parameter_count(network) == 4 * 4 + 4);
  const NetworkTable table = describe(network);
  CHECK(table.trainable == 4 * 4 + 4);
  REQUIRE(table.layers.size() == 2);
  CHECK(table.layers[0].trainable == 4 * 4 + 4);
  CHECK(table.layers[1].trainable == 0);

  Holder holder;
  const Tensor weight = holder.add("weight", torch::ones({3, 2}));
  holder.add("tied", weight);
  holder.add("fixed", torch::ones(5), false);
  CHECK(names_of(named_trainable_parameters(holder)) == Names{"weight"});
  CHECK(names_of(distinct_parameters(holder)) == Names{"weight", "fixed"});
  CHECK(trainable_parameters(holder)[0].is_same(weight));

  const torch::nn::Linear layer(3, 3);
  const torch::nn::Sequential tied(layer, torch::nn::Tanh(), layer);
  CHECK(names_of(named_trainable_parameters(*tied)) == Names{"0.weight", "0.bias"});
}

TEST_CASE("a layer registered twice is drawn once", "[models][parameters]") {
  test::SharedLayers once({.names = {"first"}}), twice({.names = {"first", "again"}});
  at::Generator left = Seed(3).stream("weights"), right = Seed(3).stream("weights");
  initialize(once, Initialization::he_normal, left);
  initialize(twice, Initialization::he_normal, right);
  CHECK(once.layer->weight.equal(twice.layer->weight));
}

TEST_CASE("different trainable tensors that share memory are refused by name", "[models][parameters]") {
  const Tensor base = torch::arange(12, torch::kDouble);
  const auto refusal = [&](const Tensor& left, const Tensor& right) -> std::string {
    Holder holder;
    holder.add("left", left.detach());
    holder.add("right", right.detach());
    try {
      trainable_parameters(holder);
    } catch (const ContractError& error) {
      return error.what();
    }
    return "";
  };
  const auto refused = ContainsSubstring("parameters 'left' and 'right' are different tensors that share");
  CHECK_THAT(refusal(base, base), refused);
  CHECK_THAT(refusal(base.slice(0, 0, 8), base.slice(0, 7, 12)), refused);
  CHECK_THAT(refusal(base.view({3, 4}), base.view({3, 4}).t()), refused);
  CHECK_THAT(refusal(base.view({3, 4}).select(1, 2), base.slice(0, 10, 12)), refused);
  // Halves of a buffer, and columns that lie between each other, have no element in common.
  CHECK(refusal(base.slice(0, 0, 6), base.slice(0, 6, 12)).empty());
  CHECK(refusal(base.view({3, 4}).select(1, 1), base.view({3, 4}).select(1, 2)).empty());

  Holder frozen;  // a fixed look at a trained tensor moves with it, which is what it is for
  frozen.add("left", base.detach());
  frozen.add("right", base.detach(), false);
  CHECK(names_of(named_trainable_parameters(frozen)) == Names{"left"});
}

TEST_CASE("what has no gradient of its own, or elements that share memory, cannot be trained",
          "[models][parameters]") {
  const auto refusal = [](const Tensor& tensor) -> std::string {
    try {
      check_can_be_trained({{"w", tensor}});
    } catch (const ContractError& error) {
      return error.what();
    }
    return "";
  };
  const Tensor leaf = torch::ones({3, 2}, torch::kDouble).requires_grad_();
  CHECK_THAT(refusal(leaf * 2), ContainsSubstring("'w' is computed from other tensors"));
  CHECK_THAT(refusal(leaf.slice(0, 0, 2)), ContainsSubstring("'w' is computed from other tensors"));
  CHECK_THAT(refusal(torch::ones({1, 2}).expand({3, 2})), ContainsSubstring("share memory"));
  CHECK_THAT(refusal(torch::ones({4}).as_strided({2, 2}, {1, 1})), ContainsSubstring("share memory"));
  CHECK_THAT(refusal(torch::ones({2}, torch::kComplexDouble)), ContainsSubstring("'w' is complex"));
  CHECK(refusal(leaf).empty());
  CHECK(refusal(torch::ones({4, 3}).t()).empty());
  CHECK(refusal(torch::ones({20}).slice(0, 2, 14).view({3, 4})).empty());
}
