// Oracles: the parameter counts of Zhang et al. (2017, table 1), of their published code and of the layer
// arithmetic in He et al. (2016); for values, invariants that any network of the kind has.
#include "plumb/models/network.hpp"

#include "models/make.hpp"
#include "support/catch.hpp"
#include <ATen/CPUGeneratorImpl.h>

#include "plumb/models/describe.hpp"
#include "plumb/models/external.hpp"

using plumb::ConfigError;
using plumb::parameter_count;
using plumb::Signature;
using plumb::test::make_network;

namespace {
const std::vector<std::string> convolutional{"small_inception", "small_alexnet", "resnet18", "wide_resnet"};

std::string refused_signature(const std::string& name, const Signature& signature) {
  try {
    make_network(name, "", signature);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

at::Tensor images(int64_t n, const Signature& signature, uint64_t seed = 7) {
  std::vector<int64_t> shape = signature.input;
  shape.insert(shape.begin(), n);
  return at::randn(shape, plumb::Seed(seed).stream("images"), at::kDouble);
}
}  // namespace

TEST_CASE("the networks have the published numbers of parameters", "[models][network]") {
  CHECK(parameter_count(*make_network("small_inception", "")) == 1649402);
  CHECK(parameter_count(*make_network("small_inception", "batch_norm: false")) == 1649402);
  CHECK(parameter_count(*make_network("small_inception", "affine: true")) == 1649402 + 2 * 1712);
  CHECK(parameter_count(*make_network("small_alexnet", "")) == 1387786);
  CHECK(parameter_count(*make_network("mlp_3x512", "")) == 1735178);
  CHECK(parameter_count(*make_network("mlp_1x512", "")) == 1209866);
  const Signature whole{{3, 32, 32}, 10};
  CHECK(parameter_count(*make_network("mlp", "{depth: 1, bias: false}", whole)) == 1577984);
  CHECK(parameter_count(*make_network("resnet18", "", whole)) == 11173962);
  CHECK(parameter_count(*make_network("wide_resnet", "", whole)) == 369498);
}

TEST_CASE("every trainable parameter gets a finite gradient", "[models][network]") {
  for (const auto& name : plumb::models().names()) {
    INFO(name);
    const Signature signature{{3, 12, 9}, 5};
    const auto network = make_network(name, name == "two_layer" ? "train: both" : "", signature);
    network->to(at::kDouble);
    const auto outputs = network->forward(images(4, signature));
    REQUIRE(outputs.sizes() == at::IntArrayRef({4, 5}));
    const auto labels = at::arange(4, at::kLong);
    at::cross_entropy_loss(outputs, labels).backward();
    for (const auto& parameter : network->named_parameters()) {
      INFO(parameter.key());
      REQUIRE(parameter->grad().defined());
      CHECK(parameter->grad().isfinite().all().item<bool>());
      // A bias before batch normalization has gradient 0 up to rounding, so only weights must have one.
      if (parameter->dim() > 1) CHECK(parameter->grad().abs().max().item<double>() > 1e-9);
    }
  }
}

TEST_CASE("an output in evaluation does not depend on the other examples nor on the memory layout",
          "[models][network]") {
  for (const auto& name : convolutional) {
    INFO(name);
    const Signature signature{{3, 16, 16}, 10};
    const auto network = make_network(name, "", signature);
    network->to(at::kDouble);
    network->forward(images(8, signature));  // moves the running statistics away from 0 and 1
    network->eval();
    const auto inputs = images(5, signature, 8);
    const auto together = network->forward(inputs);
    CHECK(at::allclose(network->forward(inputs.narrow(0, 3, 1)), together.narrow(0, 3, 1), 1e-10, 1e-10));
    CHECK(at::allclose(network->forward(inputs.contiguous(at::MemoryFormat::ChannelsLast)), together, 1e-10,
                       1e-10));
    CHECK_FALSE(at::allclose(together[0], together[1]));
  }
}

TEST_CASE("small_alexnet is its layers one after another, with LibTorch's response normalization",
          "[models][network]") {
  const Signature signature{{3, 14, 10}, 10};
  const auto network = make_network("small_alexnet", "initialization: torch", signature);
  network->to(at::kDouble);
  const auto p = network->named_parameters();
  const auto block = [](const at::Tensor& inputs, const at::Tensor& weight, const at::Tensor& bias) {
    const auto pooled = at::max_pool2d(at::relu(at::conv2d(inputs, weight, bias, 1, 2)), 3, 2, 1);
    torch::nn::LocalResponseNorm norm(torch::nn::LocalResponseNormOptions(9).alpha(1e-3).beta(0.75).k(1));
    return norm->forward(pooled);
  };
  const auto inputs = 20 * images(3, signature);  // large enough for the normalization to matter
  auto values = block(inputs, p["convolution1.weight"], p["convolution1.bias"]);
  values = block(values, p["convolution2.weight"], p["convolution2.bias"]).flatten(1);
  values = at::relu(at::linear(values, p["hidden1.weight"], p["hidden1.bias"]));
  values = at::relu(at::linear(values, p["hidden2.weight"], p["hidden2.bias"]));
  values = at::linear(values, p["output.weight"], p["output.bias"]);
  CHECK(at::allclose(network->forward(inputs), values, 1e-10, 1e-10));
}

TEST_CASE("image networks accept other image sizes", "[models][network]") {
  for (const auto& name : convolutional)
    for (const Signature& signature :
         {Signature{{1, 28, 28}, 10}, Signature{{3, 32, 32}, 7}, Signature{{2, 11, 8}, 3}}) {
      INFO(name);
      const auto network = make_network(name, "", signature);
      const auto outputs = network->forward(images(2, signature).to(at::kFloat));
      CHECK(outputs.sizes() == at::IntArrayRef({2, signature.outputs}));
    }
}

TEST_CASE("unsuitable signatures are refused with the reason", "[models][network]") {
  CHECK(refused_signature("small_inception", {{2352}, 10}) ==
        "model small_inception: inputs of shape {2352}; images {channels, height, width} are needed");
  CHECK(refused_signature("small_alexnet", {{3, 3, 28}, 10}) ==
        "model small_alexnet: images of 3 x 28 pixels; at least 4 x 4 are needed");
  CHECK(refused_signature("mlp", {{3, 0}, 10}) ==
        "model mlp: inputs of shape {3, 0}; positive sizes are needed");
  CHECK(refused_signature("two_layer", {{3}, 0}) == "model two_layer: 0 outputs; at least 1 is needed");
  CHECK_THROWS_AS(make_network("wide_resnet", "depth: 27"), ConfigError);
}

TEST_CASE("weights depend on the given generator alone and leave the global one untouched",
          "[models][network]") {
  for (const auto& name : plumb::models().names()) {
    INFO(name);
    const auto before = at::detail::getDefaultCPUGenerator().get_state().clone();
    const auto one = make_network(name, "")->parameters();
    CHECK(at::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
    at::rand({3});  // the global generator moves on
    const auto same = make_network(name, "")->parameters();
    const auto other = make_network(name, "", plumb::test::colour_images, 2)->parameters();
    REQUIRE(one.size() == same.size());
    for (size_t i = 0; i < one.size(); ++i) {
      CHECK(at::equal(one[i], same[i]));
      if (one[i].dim() > 1) CHECK_FALSE(at::equal(one[i], other[i]));
    }
  }
}

namespace {
/// Reads its inputs' entries in an order that a buffer within another module keeps.
struct Reordering : plumb::Network {
  struct Order : torch::nn::Module {
    Order() : indices(register_buffer("indices", torch::tensor({2, 0, 1}, torch::kLong))) {}
    at::Tensor indices;
  };

  Reordering()
      : mask(register_buffer("mask", torch::tensor({true, false, true}))),
        scale(register_parameter("scale", torch::tensor({1.0F, 2.0F, 3.0F}))),
        order(register_module("order", std::make_shared<Order>())) {}
  at::Tensor forward(at::Tensor x) override { return x.index_select(1, order->indices) * scale * mask; }

  at::Tensor mask, scale;
  std::shared_ptr<Order> order;
};
}  // namespace

TEST_CASE("only floating numbers are converted to another dtype", "[models][network]") {
  Reordering network;  // on the stack, as a network may be
  network.scale.mutable_grad() = torch::ones({3});
  network.to(torch::kDouble);
  CHECK(network.order->indices.scalar_type() == torch::kLong);
  CHECK(network.mask.scalar_type() == torch::kBool);
  CHECK(network.scale.scalar_type() == torch::kDouble);
  CHECK(network.scale.grad().scalar_type() == torch::kDouble);
  const at::Tensor x = torch::tensor({{5.0, 6.0, 7.0}}, torch::kDouble);
  CHECK(network.forward(x).equal(torch::tensor({{7.0, 0.0, 18.0}}, torch::kDouble)));
  network.to(torch::kCPU, torch::kFloat);
  network.to(torch::kCPU);
  CHECK(network.order->indices.scalar_type() == torch::kLong);
  CHECK(network.forward(x.to(torch::kFloat)).equal(torch::tensor({{7.0F, 0.0F, 18.0F}})));
}

TEST_CASE("the table of layers adds up and names kinds and settings", "[models][describe]") {
  const auto network = make_network("small_inception", "");
  const plumb::NetworkTable table = plumb::describe(*network);
  CHECK(table.trainable == 1649402);
  CHECK(table.fixed == 0);
  int64_t sum = 0;
  for (const auto& row : table.layers) sum += row.trainable;
  CHECK(sum == 1649402);
  REQUIRE(table.layers.size() == 2 * (1 + 8 * 2 + 2) + 2 + 1);  // convolutions with norms, pools, output
  CHECK(table.layers[0].name == "stem.convolution");
  CHECK(table.layers[0].kind == "Conv2d");
  CHECK(table.layers[0].trainable == 2688);
  CHECK_THAT(table.layers[0].settings, ContainsSubstring("3, 96, kernel_size=[3, 3]"));
  CHECK(table.layers.back().name == "output");
  const plumb::NetworkTable frozen = plumb::describe(*make_network("two_layer", "width: 4", {{3}, 2}));
  CHECK(frozen.trainable == 12);
  CHECK(frozen.fixed == 8);
}

TEST_CASE("a stock module becomes a network that shares its parameters", "[models][external]") {
  torch::nn::Sequential layers(torch::nn::Flatten(), torch::nn::Linear(6, 3), torch::nn::Tanh());
  layers->to(at::kDouble);
  const auto network = plumb::wrap(layers);
  const auto inputs = images(4, {{2, 3}, 3});
  const auto weight = layers->parameters()[0], bias = layers->parameters()[1];
  CHECK(at::allclose(network->forward(inputs), at::tanh(inputs.view({4, 6}).mm(weight.t()) + bias)));
  REQUIRE(network->parameters().size() == 2);
  CHECK(network->parameters()[0].is_same(weight));
  const auto linear = torch::nn::Linear(6, 3);
  const auto wrapped = plumb::wrap(torch::nn::AnyModule(linear));
  CHECK(wrapped->parameters()[0].is_same(linear->weight));
  CHECK(wrapped->forward(at::ones({1, 6})).sizes() == at::IntArrayRef({1, 3}));
  CHECK_THROWS_AS(plumb::wrap(torch::nn::Sequential()), plumb::ContractError);
}
